--- @include "removal"
-- What wait and join answer of a run that did not come to its end: the state before it.
local function state_before(thread)
  local values = redis.call('HGET', key('thread', thread), 'values')
  -- An SDK looks into what it is answered: nothing is an empty state, not null.
  return (not values or values == 'null') and '{}' or values
end

-- Ends a cancelled run for whoever should have: nobody (it was pending), or an owner that did not answer in time.
-- Its owner is revoked by the same step, so nothing of it can be written afterwards.
local function end_cancelled(run)
  local run_key = key('run', run)
  local fields = redis.call('HMGET', run_key, unpack(end_fields))
  local started = tonumber(redis.call('HGET', run_key, 'attempt')) > 0
  end_run(run, fields, {}, {
    status = 'interrupted',
    answer = state_before(fields[1]),
    -- A run that was stopped on its way leaves its thread with steps to do; one that never began changes nothing.
    thread_status = started and 'interrupted' or nil,
    stale = started,
  })
end

-- Cancels an open run: a pending one ends, a running one's owner is asked to end it. Returns 'ended' | 'requested'.
local function cancel_open(run, grace_ms)
  local run_key = key('run', run)
  local status, owner = unpack(redis.call('HMGET', run_key, 'status', 'owner'))
  if status == 'pending' then
    end_cancelled(run)
    return 'ended'
  end
  redis.call('HSET', run_key, 'cancel', 'interrupt')
  redis.call('ZADD', key('cancels'), 'NX', now + tonumber(grace_ms), run)
  tell_owner('interrupt', owner)
  return 'requested'
end
