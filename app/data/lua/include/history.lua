--[[ A history: the checkpoints of a graph and its subgraphs, one namespace each ('' is the root graph's). It has its
  thread's id; where a deleted thread left one to its copies, a new thread of that id has another (`history` of its hash).

  histories                    zset  the partition's threads that have a history
  history:<h>                  zset  its namespaces, by name
  checkpoints:<h>:<ns>         zset  checkpoint id → place, its order of arrival; place 0: only writes have come yet
  checkpoint:<h>:<id>:<ns>     hash  checkpoint (JSON without channel_values), v, metadata, parent, values, author, and
                                     a field `w:<task>:<idx>` a pending write (`o:<task>:<idx>`: what it replaced)
  blobs:<h>                    hash  digest → bytes
  trail:<h>                    set   see trail.lua

  A cell is a stored value: type, digest, bytes. Small ones hold their bytes and no digest; others are blobs.

  Copies. A copy's history begins empty and stands on its source's, of which it sees what was there when it was copied.
  Each copy closes an epoch of the source; what comes later is of the next one, and what goes while others read is marked
  with the epoch in which it went. So a copy that sees a history up to the epoch `cut` sees what is of that epoch or an
  earlier one, and went, if it did, in a later one. Its own writes beside a checkpoint of the source lie in a hash of its
  own under the same id.

  layer:<h>          hash  only of a history that stands on another, or was copied: base and cut (what it stands on, and up
                           to which epoch), depth (how many lie below), epoch (the one that is open), readers (how many
                           histories stand on it), closed (the epoch since which its base is of use to its readers alone),
                           orphan (its thread is gone: the last reader takes it along)
  checkpoint:…             `epoch` and `gone`: when it came (not there: 0) and went; `k:<epoch>:<task>:<idx>` a write that
                           went in that epoch; the ninth element of a write is the epoch in which it came (nil: 0)
  gone:<h>           zset  namespaces with checkpoints that went
  gone:<h>:<ns>      zset  `<epoch>:<id>` of each → its place
  unread             zset  histories whose last reader has gone, by the time of the latest step that clears them ]]
--- @include "history_name"
local EPOCH_PLACES = 2 ^ 26

local function checkpoint_key(history, ns, id)
  return key('checkpoint', history, id, ns)
end

-- The open epoch of a history, and whether others read what was stored before it.
local layers = {}
local function layer_of(history)
  if not layers[history] then
    local epoch, readers = unpack(redis.call('HMGET', key('layer', history), 'epoch', 'readers'))
    layers[history] = { epoch = tonumber(epoch) or 0, is_read = (tonumber(readers) or 0) > 0 }
  end
  return layers[history]
end

-- The index of a namespace, known to its history from now on.
local function open_index(history, ns, thread)
  local index = key('checkpoints', history, ns)
  if redis.call('EXISTS', index) == 0 then
    redis.call('ZADD', key('histories'), 0, thread)
    redis.call('ZADD', key('history', history), 0, ns)
  end
  return index
end

-- Stores {digest, bytes, digest, bytes, …} found in ARGV from `first` on, each once.
local function store_blobs(history, first)
  local blobs = key('blobs', history)
  for at = first, #ARGV, 2 do
    redis.call('HSETNX', blobs, ARGV[at], ARGV[at + 1])
  end
end

local function author_of(run, attempt, owner)
  return owner ~= '' and { run, attempt, owner } or {}
end

-- Of the history itself, not of what it stands on: what its own thread's runs have stored.
local function newest_id(history, ns)
  local newest = redis.call('ZREVRANGE', key('checkpoints', history, ns), 0, 0, 'WITHSCORES')
  if newest[1] and tonumber(newest[2]) > 0 then return newest[1] end
end

-- The place of a checkpoint that comes now. Newest is what came last, not the highest id: ids are made from the clocks of
-- workers, and a run may move to a worker whose clock is behind.
local function next_place(history, index)
  local newest = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
  return math.max(tonumber(newest[2] or 0), layer_of(history).epoch * EPOCH_PLACES) + 1
end

-- A write of a checkpoint goes, or is replaced: those who read the history still see it.
local function retire_write(history, checkpoint, place, packed)
  local layer = layer_of(history)
  if layer.is_read and (cmsgpack.unpack(packed)[9] or 0) < layer.epoch then
    redis.call('HSET', checkpoint, 'k:' .. layer.epoch .. ':' .. place, packed)
  end
  redis.call('HDEL', checkpoint, 'w:' .. place)
end
