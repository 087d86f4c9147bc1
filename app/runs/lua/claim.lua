#!lua flags=allow-oom
--[[ claim: hand up to `limit` runs of a partition to a worker.      ready ──▶ leased

  KEYS  1 leases   zset  run → deadline, ms of Redis time
  ARGV  1 limit    count; 0 only promotes what is due and heals lost tokens
        2 owner    nonce; the runs of one claim get `owner.1`, `owner.2`, …
        3 leaseMs
        4 `1`: the answer of an earlier call with this owner was lost; what that one claimed is answered again
        5… graphs  that this worker has loaded: runs of others stay ready and cost nothing
  Returns  {ms until the next delayed run is due or -1, {run id, owner, thread id, assistant id, graph id, lifetime, attempt,
           ms since its first claim, metadata, payload} each}
  Holds  I2 (one owner), I5 (order: only heads of threads are ready)
]]
--- @include "base"
--- @include "events"
--- @include "queue"
--- @include "order"
local limit, owner, lease_ms, again = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
local claimed = { promote_due() }

local function hand_out(run, nonce)
  local fields = redis.call('HMGET', key('run', run), 'thread_id', 'assistant_id', 'graph_id', 'lifetime', 'attempt',
    'started_at', 'metadata', 'payload')
  fields[6] = now - fields[6]
  claimed[#claimed + 1] = { run, nonce, unpack(fields) }
end

if again then
  for _, run in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local nonce = redis.call('HGET', key('run', run), 'owner')
    if nonce and string.sub(nonce, 1, #owner + 1) == owner .. '.' then hand_out(run, nonce) end
  end
  if #claimed > 1 then return claimed end
end

for index = 5, #ARGV do
  local graph = ARGV[index]
  while #claimed <= limit do
    local run = redis.call('ZPOPMIN', key('ready', graph))[1]
    if not run then break end
    local run_key, nonce = key('run', run), owner .. '.' .. #claimed
    local attempt = redis.call('HINCRBY', run_key, 'attempt', 1)
    local thread, last = unpack(redis.call('HMGET', run_key, 'thread_id', 'last'))
    redis.call('HSET', run_key, 'status', 'running', 'owner', nonce)
    redis.call('HSETNX', run_key, 'started_at', now)
    redis.call('ZADD', KEYS[1], now + lease_ms, run)
    local announcement = '{"run_id":"' .. run .. '","attempt":' .. attempt .. '}'
    append_events(thread, run, nonce, last, { { attempt .. '-0', 'metadata', announcement } })
    order_begin(thread, run)
    hand_out(run, nonce)
  end
  settle_tokens(graph)
end
return claimed
