#!lua flags=allow-oom
--[[ sweep: heal a partition. Every process calls it; it is idempotent, so they need no leader.

  leased, expired  ──▶ ready, with its old place; at the failure that makes `maxFailures`, terminal with `error`
  leased, a cancel overdue  ──▶ terminal
  delayed, due  ──▶ waiting | ready;   lost wake tokens come back
  a removal that nobody has driven for sweepMs, a history that nobody reads any more and nobody clears, a thread whose
  ttl has passed  ──▶ the caller's to go on with

  After an outage of Redis no lease could be renewed: the first sweep that finds the last one long ago extends all
  leases and expires none, so that an outage takes no run from its worker.

  KEYS  1 leases
  ARGV  1 leaseMs  2 sweepMs  3 maxFailures  4 limit (runs a call, and removals, and threads)
  Returns  {requeued, failed, overruled: lists of run ids,
           removals: see include/removal.lua, and `<history>:unread` (history.lua of `data`), threads that may expire}
  Holds  I1, I5, I6, I10
]]
--- @include "base"
--- @include "events"
--- @include "queue"
--- @include "end_run"
--- @include "cancelled"
local lease_ms, sweep_ms, max_failures, limit = unpack(ARGV)
local requeued, failed, overruled = {}, {}, {}

local swept = tonumber(redis.call('GET', key('swept')) or now)
redis.call('SET', key('swept'), now)
if now - swept > 3 * sweep_ms then
  for _, run in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    redis.call('ZADD', KEYS[1], 'GT', now + lease_ms, run)
  end
end

local function fail(run, failures)
  local fields = redis.call('HMGET', key('run', run), unpack(end_fields))
  local failure = '{"error":"WorkerLost","message":"The run was given up: its worker was lost ' .. failures ..
    ' times (killed, out of memory or cut off)."}'
  end_run(run, fields, { { event_after(fields[3], 1), 'error', failure } }, {
    status = 'error',
    answer = '{"__error__":' .. failure .. '}',
    thread_status = 'error',
    error = failure,
    stale = true,
  })
end

for _, run in ipairs(redis.call('ZRANGEBYSCORE', key('cancels'), '-inf', now, 'LIMIT', 0, limit)) do
  end_cancelled(run)
  overruled[#overruled + 1] = run
end

for _, run in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, limit)) do
  local run_key = key('run', run)
  local failures = redis.call('HINCRBY', run_key, 'failures', 1)
  if redis.call('HGET', run_key, 'cancel') ~= '' then
    end_cancelled(run)
    overruled[#overruled + 1] = run
  elseif failures >= tonumber(max_failures) then
    fail(run, failures)
    failed[#failed + 1] = run
  else
    local graph, due = unpack(redis.call('HMGET', run_key, 'graph_id', 'due'))
    redis.call('HSET', run_key, 'status', 'pending', 'owner', '', 'updated_at', now)
    redis.call('ZREM', KEYS[1], run)
    make_ready(run, graph, due)
    requeued[#requeued + 1] = run
  end
end

promote_due()
for _, graph in ipairs(redis.call('SMEMBERS', key('graphs'))) do settle_tokens(graph) end

local removals = redis.call('ZRANGEBYSCORE', key('removals'), '-inf', now - sweep_ms, 'LIMIT', 0, limit)
-- Others that sweep now leave them to this caller.
for _, removal in ipairs(removals) do redis.call('ZADD', key('removals'), now, removal) end
-- Histories whose last reader has gone: nobody's, so that no thread is busy with them.
for _, history in ipairs(redis.call('ZRANGEBYSCORE', key('unread'), '-inf', now - sweep_ms, 'LIMIT', 0, limit)) do
  redis.call('ZADD', key('unread'), now, history)
  removals[#removals + 1] = history .. ':unread'
end
local expiring = redis.call('ZRANGEBYSCORE', key('expiring'), '-inf', now, 'LIMIT', 0, limit)
return { requeued, failed, overruled, removals, expiring }
