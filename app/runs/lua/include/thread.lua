--[[ A thread's hash. `active` is its one ready or running run ('' for none), `open` the number of its runs that are not
  terminal, `settled` the status it falls back to when none is open, `accepted` and `seq` count its runs and events.
  `stale` is there while `values` and `interrupts` lag behind the checkpoints, `ttl` (ms) and `ttl_strategy` where the
  thread is to expire, `pruned_at` once it was to keep its newest checkpoints alone; `created_by` names the call that
  created it, `history` its history where that has not its id; `changes` and `updated_by` are the state updates'
  (thread_version.lua, write_state.lua). What is being removed has the thread meanwhile; see removal.lua. ]]
--- @include "history_name"
-- lifetime: `thread`, or `keep` or `delete` for the thread that a stateless run has of its own
local function create_thread(thread_key, metadata, lifetime)
  redis.call('HSET', thread_key, 'created_at', now, 'lifetime', lifetime, 'updated_at', now, 'metadata', metadata, 'config', '{}',
    'status', 'idle', 'settled', 'idle', 'values', 'null', 'interrupts', '{}',
    'active', '', 'open', 0, 'accepted', 0, 'seq', 0)
  local thread = string.match(thread_key, ':thread:(.*)$')
  local history = new_history(thread)
  if history ~= thread then redis.call('HSET', thread_key, 'history', history) end
end

-- A thread with a ttl is looked at when it could have been idle for so long.
local function expire_later(thread_key, thread)
  local ttl = redis.call('HGET', thread_key, 'ttl')
  if ttl then redis.call('ZADD', key('expiring'), now + ttl, thread) end
end
