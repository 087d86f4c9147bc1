-- Names and time; time is Redis's own, never a process's.
--- @include "keys"
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local now = clock()
