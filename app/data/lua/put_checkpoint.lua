#!lua
--[[ put_checkpoint: a step of a graph is done; its checkpoint becomes the newest of its namespace.

  KEYS  1 history  zset  its namespaces
  ARGV  1 and 2 thread   3 namespace   4 checkpoint   5 parent checkpoint or ''   (ids)
        6 run, 7 owner, 8 attempt that writes, or '' each   9 version of the thread, or ''
       10 checkpoint  JSON without channel_values   11 its format `v`
       12 type and 13 bytes of the metadata
       14 number of unchanged channels   15 number of changed channels
       16… channel, version of each unchanged one
         … channel, version, type, digest, bytes of each changed one
         … digest, bytes of each blob
  Returns  'stored', also when it had been stored before
           | 'incomplete'  the parent doesn't hold an unchanged channel at that version; nothing was stored
           | 'fenced' | 'thread_busy' | 'thread_changed' | 'thread_missing'
  Holds  I3 (nothing by an attempt after a later one was claimed), I12 (what is refused leaves nothing behind)
]]
--- @include "keys"
--- @include "fence"
--- @include "refusal"
--- @include "history"
--- @include "levels"
--- @include "trail"
local thread, ns, id, parent, run, owner, attempt, version = unpack(ARGV, 2, 9)
local refused = refusal(thread, run, owner, version)
if refused then return refused end
local history = history_of(thread)

-- The values of unchanged channels are those of the parent: only their references are copied.
local unchanged, changed = tonumber(ARGV[14]), tonumber(ARGV[15])
local values, at = {}, 16
if unchanged > 0 then
  local held = {}
  local packed = field_of(levels_of(history), ns, parent, 'values')
  for _, value in ipairs(packed and cmsgpack.unpack(packed) or {}) do held[value[1]] = value end
  for _ = 1, unchanged do
    local value = held[ARGV[at]]
    if not value or value[2] ~= ARGV[at + 1] then return 'incomplete' end
    values[#values + 1] = value
    at = at + 2
  end
end
for _ = 1, changed do
  values[#values + 1] = { unpack(ARGV, at, at + 4) }
  at = at + 5
end
store_blobs(history, at)

local checkpoint = checkpoint_key(history, ns, id)
local epoch = layer_of(history).epoch
if epoch > 0 and redis.call('HEXISTS', checkpoint, 'checkpoint') == 0 then redis.call('HSET', checkpoint, 'epoch', epoch) end
redis.call('HSET', checkpoint, 'checkpoint', ARGV[10], 'v', ARGV[11], 'parent', parent,
  'metadata', cmsgpack.pack({ ARGV[12], ARGV[13] }), 'values', cmsgpack.pack(values),
  'author', cmsgpack.pack(author_of(run, attempt, owner)))

local index = open_index(history, ns, thread)
if tonumber(redis.call('ZSCORE', index, id) or 0) == 0 then redis.call('ZADD', index, next_place(history, index), id) end
if ns == '' then redis.call('UNLINK', key('trail', history)) else leave_trail(history, run, ns, id) end
return 'stored'
