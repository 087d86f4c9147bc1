#!lua flags=allow-oom
--[[ claim_webhooks: hand webhooks that are due to a worker, which posts them before its lease ends. One that dies, or is
  cut off, is followed by another: so a webhook may be posted twice, but not never.

  KEYS  1 webhooks  zset (runs/lua/include/webhook.lua)
  ARGV  1 limit  2 leaseMs  3 busyMs: after it those are looked at again whose receiver has as many as it may
        4… such receivers, as addresses begin: `https://hooks.example.com`
  Returns  {run id, tries with this one, address} each
]]
--- @include "base"
--[[ Of those that wait for a receiver that does not answer so many are passed by at once, so that the others behind them
  don't wait. ]]
local LOOKED_AT = 200
local limit, lease_ms, busy_ms = unpack(ARGV, 1, 3)
limit = tonumber(limit)
local busy, claimed = {}, {}
for index = 4, #ARGV do busy[ARGV[index]] = true end

for _, run in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, LOOKED_AT)) do
  if #claimed == limit then break end
  local told = key('webhook', run)
  local address = redis.call('HGET', told, 'webhook')
  if not address then
    redis.call('ZREM', KEYS[1], run)
  elseif busy[string.match(address, '^%w+://[^/?#]+')] then
    redis.call('ZADD', KEYS[1], now + busy_ms, run)
  else
    redis.call('ZADD', KEYS[1], now + lease_ms, run)
    claimed[#claimed + 1] = { run, redis.call('HINCRBY', told, 'tries', 1), address }
  end
end
return claimed
