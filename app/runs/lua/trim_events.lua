#!lua flags=allow-oom
--[[ trim_events: drop the oldest events of a run, where memory runs out.

  KEYS  1 events
  ARGV  1 keep      of the newest at least so many       2 drop      at most so many now
  Returns  how many were dropped
  Holds  I4: the first, internal event stays (`enqueue` knows the request by it), and what then follows is never the first
  event of an attempt, or a follower would take it for the next one and not see the gap
]]
local keep, drop = tonumber(ARGV[1]), tonumber(ARGV[2])
drop = math.min(drop, redis.call('XLEN', KEYS[1]) - 1 - keep)
if drop <= 0 then return 0 end
local entries = redis.call('XRANGE', KEYS[1], '(0-1', '+', 'COUNT', drop + 1)
local next_one = entries[drop + 1]
if next_one and not string.match(next_one[1], '%-0$') then entries[drop + 1] = nil end
local ids = {}
for index, entry in ipairs(entries) do ids[index] = entry[1] end
return redis.call('XDEL', KEYS[1], unpack(ids))
