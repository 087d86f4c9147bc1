#!lua flags=no-writes
--[[ queue_depth: how many runs of a partition are in each of the queues that span threads.

  KEYS  1 leases
  Returns  {claimable, delayed, running}
  Costs a count a graph that has claimable runs; those that wait behind others of their thread are in queues of its own.
]]
--- @include "keys"
local claimable = 0
for _, graph in ipairs(redis.call('SMEMBERS', key('graphs'))) do
  claimable = claimable + redis.call('ZCARD', key('ready', graph))
end
return { claimable, redis.call('ZCARD', key('delayed')), redis.call('ZCARD', KEYS[1]) }
