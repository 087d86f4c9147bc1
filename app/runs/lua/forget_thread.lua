#!lua flags=allow-oom
--[[ forget_thread: the last step of a deletion. From here on a thread of this id may be created.
  It does nothing while something is left: another process may have ended the deletion that this call is of, and a new
  thread of this id may be being deleted.

  KEYS  1 removals  zset
  ARGV  1 thread id
  Holds  I9
]]
--- @include "keys"
--- @include "history_name"
if redis.call('EXISTS', key('runs', ARGV[1]), key('history', history_of(ARGV[1]))) > 0 then return end
redis.call('UNLINK', key('removing', ARGV[1]))
redis.call('ZREM', KEYS[1], ARGV[1])
