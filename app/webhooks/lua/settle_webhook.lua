#!lua flags=allow-oom
--[[ settle_webhook: what became of a try.

  KEYS  1 webhooks  zset (runs/lua/include/webhook.lua)
  ARGV  1 run id  2 number of the try
        3 in how many ms it is tried again; '' when it is not: it was delivered, or is given up
        4 `1`: it was no try, since nothing was sent
  Returns  1 | 0 (another worker has taken it meanwhile; its word counts)
]]
--- @include "base"
local run, try, again_ms, uncounted = unpack(ARGV)
local told = key('webhook', run)
if again_ms ~= '' then
  if redis.call('HGET', told, 'tries') ~= try then return 0 end
  if uncounted == '1' then redis.call('HINCRBY', told, 'tries', -1) end
  redis.call('ZADD', KEYS[1], now + tonumber(again_ms), run)
  return 1
end
redis.call('UNLINK', told)
return redis.call('ZREM', KEYS[1], run)
