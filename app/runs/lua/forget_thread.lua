#!lua flags=allow-oom
--[[ forget_thread: the last step of a deletion. From here on a thread of this id may be created.

  KEYS  1 removals  zset
  ARGV  1 thread id
  Holds  I9
]]
--- @include "keys"
redis.call('UNLINK', key('removing', ARGV[1]))
redis.call('ZREM', KEYS[1], ARGV[1])
