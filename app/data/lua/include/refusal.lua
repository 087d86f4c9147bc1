-- Why a write may not happen, or nil. `run` and `owner` are '' for a writer that is no attempt of a run; `idle` is '1'
-- for one that may only write while the thread has no active run.
local function refusal(thread, run, owner, idle)
  if owner ~= '' and fenced(thread, run, owner) then return 'fenced' end
  if idle ~= '1' then return nil end
  local active = redis.call('HGET', key('thread', thread), 'active')
  if not active then return 'thread_missing' end
  if active ~= '' then return 'thread_busy' end
end
