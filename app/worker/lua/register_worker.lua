#!lua flags=allow-oom
--[[ register_worker: a healthy worker says of which revision of its task definition it is.

  KEYS  1 workers   zset  `<family>:<revision>:<instance>` → when it is no longer believed, ms of Redis time
  ARGV  1 family  2 revision  3 instance
        4 ttlMs   for how long it is believed; 0: it leaves
  Returns  the latest revision of the family that a worker has which is believed now; 0 when there is none
  Holds  I9 (the key goes with the last of them)
]]
--- @include "base"
local family, revision, instance, ttl_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local member = family .. ':' .. revision .. ':' .. instance
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ttl_ms > 0 then
  redis.call('ZADD', KEYS[1], now + ttl_ms, member)
  redis.call('PEXPIRE', KEYS[1], ttl_ms)
else
  redis.call('ZREM', KEYS[1], member)
end
local latest = 0
for _, each in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local of, number = string.match(each, '^([^:]*):(%d+):')
  if of == family then latest = math.max(latest, tonumber(number)) end
end
return latest
