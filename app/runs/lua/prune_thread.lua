#!lua flags=allow-oom
--[[ prune_thread: a thread whose ttl has passed is to keep its newest checkpoints alone; it waits for its next activity.

  KEYS  1 thread
  ARGV  1 thread id
  Returns  1 when its older checkpoints are to go, else 0
]]
--- @include "base"
--- @include "removal"
--- @include "expired"
local thread = ARGV[1]
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('ZREM', key('expiring'), thread)
  return 0
end
if not expired(KEYS[1], thread, 'keep_latest') then return 0 end
redis.call('ZREM', key('expiring'), thread)
begin_removal(thread, 'keep_latest')
redis.call('HSET', KEYS[1], 'pruned_at', now)
return 1
