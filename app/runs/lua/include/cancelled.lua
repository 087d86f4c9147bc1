-- Ends a cancelled run for whoever should have: nobody (it was pending), or an owner that did not answer in time.
-- Its owner is revoked by the same step, so nothing of it can be written afterwards.
local function end_cancelled(run)
  local run_key = key('run', run)
  local fields = redis.call('HMGET', run_key, unpack(end_fields))
  local started = tonumber(redis.call('HGET', run_key, 'attempt')) > 0
  local values = redis.call('HGET', key('thread', fields[1]), 'values')
  end_run(run, fields, {}, {
    status = 'interrupted',
    -- An SDK looks into what it is answered: nothing is an empty state, not null.
    answer = (not values or values == 'null') and '{}' or values,
    -- A run that was stopped on its way leaves its thread with steps to do; one that never began changes nothing.
    thread_status = started and 'interrupted' or nil,
  })
end
