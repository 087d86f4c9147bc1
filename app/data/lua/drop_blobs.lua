#!lua flags=allow-oom
--[[ drop_blobs: remove the values that no checkpoint names any more, a part of them a call. Those of a history that was
  copied stay: its readers name some.

  KEYS  1 history  zset  its namespaces
  ARGV  1 and 2 thread   3 pass of keep_newest   4 cursor: `0` at first, then what the last call returned   5 count
  Returns  cursor, or '0' at the end
]]
--- @include "base"
--- @include "history"
--- @include "named"
local thread, pass, cursor, count = unpack(ARGV, 2)
local history = history_of(thread)
local removal, named = thread .. ':keep_latest', named_key(history, thread, pass)
if not redis.call('ZSCORE', key('removals'), removal) or redis.call('SISMEMBER', named, COMPLETE) == 0 then return '0' end
redis.call('ZADD', key('removals'), now, removal)
if layer_of(history).is_read then
  redis.call('UNLINK', named)
  return '0'
end

local blobs = key('blobs', history)
local page = redis.call('HSCAN', blobs, cursor, 'COUNT', count)
for at = 1, #page[2], 2 do
  local digest = page[2][at]
  if redis.call('SISMEMBER', named, digest) == 0 then redis.call('HDEL', blobs, digest) end
end
if page[1] == '0' then redis.call('UNLINK', named) end
return page[1]
