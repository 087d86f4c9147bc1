#!lua flags=allow-oom
--[[ removed: what had to go from a thread's history is gone, and its next run may start.

  KEYS  1 removals  zset
  ARGV  1 thread id  2 what (see include/removal.lua)
  Returns  1 | 0 (it had been done, or the thread is deleted)
  Holds  I2, I5
]]
--- @include "base"
--- @include "queue"
--- @include "settle"
local thread, what = unpack(ARGV)
local thread_key = key('thread', thread)
if redis.call('ZREM', KEYS[1], thread .. ':' .. what) == 0 then return 0 end
if redis.call('HGET', thread_key, 'active') ~= what then return 0 end
local updated = redis.call('HGET', thread_key, 'updated_at')
promote_next(thread)
settle_status(thread_key)
-- It is no activity of the thread's.
redis.call('HSET', thread_key, 'updated_at', updated)
thread_changed(thread)
return 1
