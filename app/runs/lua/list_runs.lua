#!lua
--[[ list_runs: a page of a thread's runs, newest first. It looks at 10,000 runs at most.

  KEYS  1 runs  zset  `place:run` by time of acceptance
  ARGV  1 offset  2 limit  3 status, or '' for all
  Returns  {{run id, field, value, …} each}
]]
--- @include "keys"
local STEP, FARTHEST = 100, 10000
local offset, limit, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local page, matched = {}, 0

for first = 0, FARTHEST - 1, STEP do
  local members = redis.call('ZREVRANGE', KEYS[1], first, first + STEP - 1)
  for _, member in ipairs(members) do
    local run = string.match(member, ':(.*)$')
    local status = redis.call('HGET', key('run', run), 'status')
    if status and (wanted == '' or wanted == status) then
      matched = matched + 1
      if matched > offset then page[#page + 1] = { run, unpack(redis.call('HGETALL', key('run', run))) } end
      if #page == limit then return page end
    end
  end
  if #members < STEP then return page end
end
return page
