#!lua
--[[ create_thread: a thread without runs, unless it exists.

  KEYS  1 thread  hash
  ARGV  1 metadata (JSON object)
  Returns  {1 when it was created or 0 when it existed, field, value, … of the thread}
]]
--- @include "base"
--- @include "thread"
local created = redis.call('EXISTS', KEYS[1]) == 0
if created then create_thread(KEYS[1], ARGV[1], 'thread') end
return { created and 1 or 0, unpack(redis.call('HGETALL', KEYS[1])) }
