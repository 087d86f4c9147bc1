--- @include "cancelled"
--[[ Takes an open run back, as if it had not been accepted: its followers are told that it ended, its record goes. Its
  thread's values are still those from before it. One that never began has stored nothing; else its checkpoints are to be
  removed, and until they are the thread is still the run's. Its place in the thread's index stays, so that its events,
  which are kept a while for those who missed their end, go with the thread.
  Returns whether there are checkpoints to remove. ]]
local function roll_back(run)
  local run_key = key('run', run)
  local fields = redis.call('HMGET', run_key, unpack(end_fields))
  local thread, graph, _, owner, place, lifetime = unpack(fields)
  local thread_key = key('thread', thread)
  local began = tonumber(redis.call('HGET', run_key, 'attempt')) > 0
  tell_owner('lost', owner)
  append_end(run, fields, {}, { status = 'interrupted', answer = state_before(thread) })
  leave_queues(run, thread, graph, place)
  settle_tokens(graph)
  redis.call('UNLINK', run_key)
  if lifetime == 'delete' then
    redis.call('UNLINK', thread_key, key('runs', thread))
    return false
  end

  redis.call('HINCRBY', thread_key, 'open', -1)
  if began then begin_removal(thread, run)
  elseif redis.call('HGET', thread_key, 'active') == run then promote_next(thread) end
  settle_status(thread_key)
  return began
end
