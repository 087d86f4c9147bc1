-- Names and time. All keys of a script are in the partition of KEYS[1] and are built here; time is Redis's own.
local tag = string.match(KEYS[1], '^{[^}]*}')

local function key(kind, ...)
  return table.concat({ tag, kind, ... }, ':')
end

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local now = clock()
