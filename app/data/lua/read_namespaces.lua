#!lua flags=no-writes
--[[ read_namespaces: a page of the namespaces of a history and of those that it stands on, by name. Of a copy some may be of
  a later time, and hold nothing that it sees.

  KEYS  1 history  zset  its namespaces
  ARGV  1 thread   2 after this one, as a bound of ZRANGEBYLEX   3 limit
  Returns  namespaces, fewer than `limit` at the end
]]
--- @include "keys"
--- @include "history"
--- @include "levels"
local levels, after, limit = levels_of(history_of(ARGV[1])), ARGV[2], tonumber(ARGV[3])
local seen, names = {}, {}

local function add(namespaces)
  for _, ns in ipairs(redis.call('ZRANGEBYLEX', namespaces, after, '+', 'LIMIT', 0, limit)) do
    if not seen[ns] then names[#names + 1] = ns end
    seen[ns] = true
  end
end
for _, level in ipairs(levels) do
  add(key('history', level.history))
  if level.cut then add(key('gone', level.history)) end
end
table.sort(names)
return { unpack(names, 1, math.min(limit, #names)) }
