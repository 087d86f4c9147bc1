-- A record expires by itself, its place in the thread's index does not: each new run clears a few of the oldest.
local OLDEST = 10

local function forget_expired(thread)
  local index = key('runs', thread)
  for _, member in ipairs(redis.call('ZRANGE', index, 0, OLDEST - 1)) do
    if redis.call('EXISTS', key('run', string.match(member, ':(.*)$'))) == 0 then redis.call('ZREM', index, member) end
  end
end
