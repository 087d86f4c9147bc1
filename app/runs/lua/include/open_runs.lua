-- The open runs of a thread: delayed and waiting ones first, then the active one, so that ending them one after the other
-- promotes none that is to end as well. Call promote_due before. Delayed runs are in no queue of their thread: those that
-- the other two leave of its `open` ones are looked up in its index, newest first.
local PAGE = 100

local function open_runs(thread)
  local active, open = unpack(redis.call('HMGET', key('thread', thread), 'active', 'open'))
  local waiting = redis.call('ZRANGE', key('waiting', thread), 0, -1)
  local has_active = active ~= '' and redis.call('EXISTS', key('run', active)) == 1
  local missing = tonumber(open) - #waiting - (has_active and 1 or 0)
  local runs = {}
  local index = key('runs', thread)
  for first = 0, math.huge, PAGE do
    if missing <= 0 then break end
    local members = redis.call('ZREVRANGE', index, first, first + PAGE - 1)
    for _, member in ipairs(members) do
      local run = string.match(member, ':(.*)$')
      if redis.call('ZSCORE', key('delayed'), run) then
        runs[#runs + 1] = run
        missing = missing - 1
      end
    end
    if #members < PAGE then break end
  end
  for _, member in ipairs(waiting) do runs[#runs + 1] = string.match(member, ':(.*)$') end
  if has_active then runs[#runs + 1] = active end
  return runs
end
