--[[ What is told by webhook. The run's end puts it here, in the same step, so that no end is missed; workers post it.

  webhooks       zset  run by the time at which it may be posted: due, or when the lease of who posts it ends
  webhook:<run>  hash  the run's record as it ended, with `ended_at`, `values` and `tries`: nothing that happens to the run
                       or its thread afterwards changes what is told

  A receiver may be away for ten minutes; nobody may look (no worker is there) for a day. ]]
local WEBHOOK_MS = 24 * 3600 * 1000

-- Before the record changes or goes. outcome: as `end_run` takes it.
local function tell_webhook(run, thread, lifetime, outcome)
  local run_key, told = key('run', run), key('webhook', run)
  if redis.call('HEXISTS', run_key, 'webhook') == 0 then return end
  -- Of one that failed the answer is its error; its state is what it, or the thread before it, had reached.
  local values = outcome.error and (outcome.values or redis.call('HGET', key('thread', thread), 'values')) or outcome.answer
  redis.call(lifetime == 'delete' and 'RENAME' or 'COPY', run_key, told)
  redis.call('HSET', told, 'status', outcome.status, 'updated_at', now, 'ended_at', now, 'tries', 0,
    'values', values or 'null', 'error', outcome.error or '')
  redis.call('PEXPIRE', told, WEBHOOK_MS)
  redis.call('ZADD', key('webhooks'), now, run)
end
