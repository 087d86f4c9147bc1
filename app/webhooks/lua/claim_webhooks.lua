#!lua flags=allow-oom
--[[ claim_webhooks: hand webhooks that are due to a worker, which posts them before its lease ends. One that dies, or is
  cut off, is followed by another: so a webhook may be posted twice, but not never.

  KEYS  1 webhooks  zset (runs/lua/include/webhook.lua)
  ARGV  1 limit  2 leaseMs
        3 laterMs: after it those are looked at again whose receiver fails and has as many as it may
        4 how many such receivers follow; after them those that have as many as they may and fail not: theirs stay where
          they are. Each as its addresses begin: `https://hooks.example.com`
  Returns  {1 if some stay where they are, or 0, {run id, tries with this one, address} each}
]]
--- @include "base"
local LOOKED_AT = 200
local limit, lease_ms, later_ms, failing = unpack(ARGV, 1, 4)
limit, failing = tonumber(limit), tonumber(failing)
local receivers = {}
for index = 5, #ARGV do receivers[ARGV[index]] = index < 5 + failing and 'failing' or 'busy' end

local answer = { 0 }
for _, run in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, LOOKED_AT)) do
  if #answer > limit then break end
  local told = key('webhook', run)
  local address = redis.call('HGET', told, 'webhook')
  local state = address and receivers[string.match(address, '^%w+://[^/?#]+')]
  if not address then
    redis.call('ZREM', KEYS[1], run)
  elseif state == 'failing' then
    -- Those behind a receiver that does not answer, which may be many, come to the front.
    redis.call('ZADD', KEYS[1], now + later_ms, run)
  elseif state == 'busy' then
    answer[1] = 1
  else
    redis.call('ZADD', KEYS[1], now + lease_ms, run)
    answer[#answer + 1] = { run, redis.call('HINCRBY', told, 'tries', 1), address }
  end
end
return answer
