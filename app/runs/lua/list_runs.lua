#!lua
--[[ list_runs: a page of a thread's runs, newest first. Runs whose record has expired leave the index here.

  KEYS  1 runs  zset  `place:run` by time of acceptance
  ARGV  1 offset  2 limit  3 status, or '' for all
  Returns  {{run id, field, value, …} each}
]]
--- @include "base"
local offset, limit, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local page, matched = {}, 0
for _, member in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, -1)) do
  local run = string.match(member, ':(.*)$')
  local status = redis.call('HGET', key('run', run), 'status')
  if not status then
    redis.call('ZREM', KEYS[1], member)
  elseif wanted == '' or wanted == status then
    matched = matched + 1
    if matched > offset then page[#page + 1] = { run, unpack(redis.call('HGETALL', key('run', run))) } end
    if #page == limit then break end
  end
end
return page
