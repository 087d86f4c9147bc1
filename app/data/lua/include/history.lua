--[[ A history: the checkpoints of a graph and its subgraphs, one namespace each ('' is the root graph's).

  histories                    zset  the partition's histories, by name
  history:<h>                  zset  its namespaces, by name
  checkpoints:<h>:<ns>         zset  checkpoint id → place, its order of arrival; place 0: only writes have come yet
  checkpoint:<h>:<id>:<ns>     hash  checkpoint (JSON without channel_values), v, metadata, parent, values, author, and
                                     a field `w:<task>:<idx>` a pending write (`o:<task>:<idx>`: what it replaced)
  blobs:<h>                    hash  digest → bytes
  trail:<h>                    set   see trail.lua

  A cell is a stored value: type, digest, bytes. Small ones hold their bytes and no digest; others are blobs. ]]
local function checkpoint_key(history, ns, id)
  return key('checkpoint', history, id, ns)
end

-- The index of a namespace, known to its history from now on.
local function open_index(history, ns)
  local index = key('checkpoints', history, ns)
  if redis.call('EXISTS', index) == 0 then
    redis.call('ZADD', key('histories'), 0, history)
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

local function newest_id(history, ns)
  local newest = redis.call('ZREVRANGE', key('checkpoints', history, ns), 0, 0, 'WITHSCORES')
  if newest[1] and tonumber(newest[2]) > 0 then return newest[1] end
end
