--[[ A thread's hash. `active` is its one ready or running run ('' for none), `open` the number of its runs that are not
  terminal, `settled` the status it falls back to when none is open, `accepted` and `seq` count its runs and events. ]]
local function create_thread(thread_key, metadata)
  redis.call('HSET', thread_key, 'created_at', now, 'updated_at', now, 'metadata', metadata, 'config', '{}',
    'status', 'idle', 'settled', 'idle', 'values', 'null', 'interrupts', '{}',
    'active', '', 'open', 0, 'accepted', 0, 'seq', 0)
end
