#!lua
--[[ create_thread: a thread without runs, unless it exists.

  KEYS  1 thread  hash
  ARGV  1 thread id  2 metadata (JSON object)  3 ttl (ms), or ''  4 what then: `delete` or `keep_latest`
        5 nonce of the call: sent twice, because its connection went, it gets the same answer
  Returns  {1 when it was created or 0 when it existed, field, value, … of the thread}
           | {-1} (a thread of this id is being deleted)
  Holds  I12
]]
--- @include "base"
--- @include "thread"
--- @include "thread_index"
--- @include "removal"
local thread, metadata, ttl, strategy, call = unpack(ARGV)
if is_deleting(thread) then return { -1 } end
local created = redis.call('EXISTS', KEYS[1]) == 0
if created then
  create_thread(KEYS[1], metadata, 'thread')
  redis.call('HSET', KEYS[1], 'created_by', call)
  if ttl ~= '' then redis.call('HSET', KEYS[1], 'ttl', ttl, 'ttl_strategy', strategy) end
  expire_later(KEYS[1], thread)
  thread_changed(thread)
end
local by_this_call = redis.call('HGET', KEYS[1], 'created_by') == call
return { by_this_call and 1 or 0, unpack(redis.call('HGETALL', KEYS[1])) }
