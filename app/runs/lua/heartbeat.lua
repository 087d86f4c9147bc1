#!lua flags=allow-oom
--[[ heartbeat: a worker renews its leases in a partition.            leased ──▶ leased

  KEYS  1 leases
  ARGV  1 leaseMs   2… run id, owner of each run it holds
  Returns  a flat list of run id, word for those that need attention: 'lost', or the action of a cancel
]]
--- @include "base"
local lease_ms = tonumber(ARGV[1])
local attention = {}
for index = 2, #ARGV, 2 do
  local run = ARGV[index]
  local status, owner, cancel = unpack(redis.call('HMGET', key('run', run), 'status', 'owner', 'cancel'))
  local word = nil
  if status ~= 'running' or owner ~= ARGV[index + 1] then
    word = 'lost'
  else
    redis.call('ZADD', KEYS[1], now + lease_ms, run)
    if cancel ~= '' then word = cancel end
  end
  if word then
    attention[#attention + 1] = run
    attention[#attention + 1] = word
  end
end
return attention
