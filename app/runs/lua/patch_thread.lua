#!lua
--[[ patch_thread: change a thread's metadata, or what becomes of it.

  KEYS  1 thread  hash
  ARGV  1 thread id   2 metadata as it was read   3 metadata instead (JSON), '' to leave it
        4 ttl (ms), '' to leave it   5 what then: `delete` or `keep_latest`
  Returns  {'patched', field, value, … of the thread} | {'changed', metadata} (somebody wrote between) | {'missing'}
]]
--- @include "base"
--- @include "thread"
--- @include "thread_index"
local thread, read, metadata, ttl, strategy = unpack(ARGV)
local held = redis.call('HGET', KEYS[1], 'metadata')
if not held then return { 'missing' } end
if metadata ~= '' then
  if held ~= read then return { 'changed', held } end
  redis.call('HSET', KEYS[1], 'metadata', metadata)
end
if ttl ~= '' then redis.call('HSET', KEYS[1], 'ttl', ttl, 'ttl_strategy', strategy) end
redis.call('HSET', KEYS[1], 'updated_at', now)
expire_later(KEYS[1], thread)
thread_changed(thread, metadata ~= '')
return { 'patched', unpack(redis.call('HGETALL', KEYS[1])) }
