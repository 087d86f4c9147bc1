--[[ A thread's hash. `active` is its one ready or running run ('' for none), `open` the number of its runs that are not
  terminal, `settled` the status it falls back to when none is open, `accepted` and `seq` count its runs and events. ]]
-- lifetime: `thread`, or `keep` or `delete` for the thread that a stateless run has of its own
local function create_thread(thread_key, metadata, lifetime)
  redis.call('HSET', thread_key, 'created_at', now, 'lifetime', lifetime, 'updated_at', now, 'metadata', metadata, 'config', '{}',
    'status', 'idle', 'settled', 'idle', 'values', 'null', 'interrupts', '{}',
    'active', '', 'open', 0, 'accepted', 0, 'seq', 0)
end
