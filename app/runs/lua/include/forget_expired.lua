-- A record expires by itself, its place in the thread's index does not: each new run clears a few of the oldest. Events
-- may outlive the record of a run that was rolled back, and go with the thread.
local OLDEST = 10

local function forget_expired(thread)
  local index = key('runs', thread)
  for _, member in ipairs(redis.call('ZRANGE', index, 0, OLDEST - 1)) do
    local run = string.match(member, ':(.*)$')
    if redis.call('EXISTS', key('run', run), key('events', run)) == 0 then redis.call('ZREM', index, member) end
  end
end
