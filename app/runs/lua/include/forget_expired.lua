-- A record expires by itself, its place in the thread's index does not: each new run clears a few of the oldest. Events
-- may outlive the record of a run that was rolled back, and go with the thread. The order of those that keep events likewise.
local OLDEST = 10

local function forget_expired(thread)
  local index = key('runs', thread)
  for _, member in ipairs(redis.call('ZRANGE', index, 0, OLDEST - 1)) do
    local run = string.match(member, ':(.*)$')
    if redis.call('EXISTS', key('run', run), key('events', run)) == 0 then redis.call('ZREM', index, member) end
  end
  local order = key('order', thread)
  for _, run in ipairs(redis.call('ZRANGE', order, 0, OLDEST - 1)) do
    if redis.call('EXISTS', key('events', run)) == 0 then redis.call('ZREM', order, run) end
  end
end
