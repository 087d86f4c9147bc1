#!lua flags=allow-oom
--[[ drop_blobs: remove the values that no checkpoint names any more, a part of them a call.

  KEYS  1 history  zset  its namespaces
  ARGV  1 history   2 thread   3 pass of keep_newest   4 cursor: `0` at first, then what the last call returned   5 count
  Returns  cursor, or '0' at the end
]]
--- @include "base"
--- @include "history"
--- @include "named"
local history, thread, pass, cursor, count = unpack(ARGV)
local removal, named = thread .. ':keep_latest', named_key(history, thread, pass)
if not redis.call('ZSCORE', key('removals'), removal) or redis.call('SISMEMBER', named, COMPLETE) == 0 then return '0' end
redis.call('ZADD', key('removals'), now, removal)

local blobs = key('blobs', history)
local page = redis.call('HSCAN', blobs, cursor, 'COUNT', count)
for at = 1, #page[2], 2 do
  local digest = page[2][at]
  if redis.call('SISMEMBER', named, digest) == 0 then redis.call('HDEL', blobs, digest) end
end
if page[1] == '0' then redis.call('UNLINK', named) end
return page[1]
