--- @include "cancelled"
-- A thread's state is read by the graph of its latest run: that is the one before the run which went.
local LOOKED_AT = 10

local function restore_graph(thread)
  local thread_key = key('thread', thread)
  for _, member in ipairs(redis.call('ZREVRANGE', key('runs', thread), 0, LOOKED_AT - 1)) do
    local run = string.match(member, ':(.*)$')
    local graph, assistant = unpack(redis.call('HMGET', key('run', run), 'graph_id', 'assistant_id'))
    if graph then
      redis.call('HSET', thread_key, 'graph_id', graph, 'assistant_id', assistant)
      return
    end
  end
  -- Where records have expired there were others, most likely of the same graph.
  if redis.call('HGET', thread_key, 'accepted') == '1' then redis.call('HDEL', thread_key, 'graph_id', 'assistant_id') end
end

--[[ Rolls an open run back, as if it had not been accepted: its followers are told that it ended, its record goes. Its
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
    redis.call('UNLINK', thread_key, key('runs', thread), key('order', thread))
    return false
  end

  restore_graph(thread)
  redis.call('HINCRBY', thread_key, 'open', -1)
  if began then begin_removal(thread, run)
  elseif redis.call('HGET', thread_key, 'active') == run then promote_next(thread) end
  settle_status(thread_key)
  return began
end
