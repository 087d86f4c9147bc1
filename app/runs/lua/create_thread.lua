#!lua
--[[ create_thread: a thread without runs, unless it exists.

  KEYS  1 thread  hash
  ARGV  1 metadata (JSON object)
  Returns  1 when it was created, 0 when it existed
]]
--- @include "base"
--- @include "thread"
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
create_thread(KEYS[1], ARGV[1])
return 1
