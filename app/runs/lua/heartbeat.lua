#!lua flags=allow-oom
--[[ heartbeat: a worker renews its leases in a partition, or gives them up.            leased ──▶ leased

  KEYS  1 leases
  ARGV  1 leaseMs, 0: they end now, for the next sweep   2… run id, owner of each run it holds
  Returns  a flat list of owner, word for those that need attention: 'lost', or the action of a cancel
]]
--- @include "base"
local lease_ms = tonumber(ARGV[1])
local attention = {}
for index = 2, #ARGV, 2 do
  local run, claim = ARGV[index], ARGV[index + 1]
  local status, owner, cancel = unpack(redis.call('HMGET', key('run', run), 'status', 'owner', 'cancel'))
  local word = nil
  if status ~= 'running' or owner ~= claim then
    word = 'lost'
  else
    redis.call('ZADD', KEYS[1], now + lease_ms, run)
    if cancel ~= '' then word = cancel end
  end
  if word then
    attention[#attention + 1] = claim
    attention[#attention + 1] = word
  end
end
return attention
