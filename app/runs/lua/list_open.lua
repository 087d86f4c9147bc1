#!lua flags=no-writes
--[[ list_open: open runs of a partition whose cancel was not yet accepted, at most `limit`.

  KEYS  1 leases
  ARGV  1 status: `pending`, `running` or `all`   2 limit   3 accepted before this time (ms), or '' for now
  Returns  {the time that was taken, run id, thread id, run id, thread id, …}
]]
--- @include "base"
local PAGE = 100
local wanted, limit, before = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]) or now
local found, threads = { before }, {}

local function take(run)
  local thread, created, cancel = unpack(redis.call('HMGET', key('run', run), 'thread_id', 'created_at', 'cancel'))
  if not thread then return end
  threads[thread] = true
  -- Those of a thread that is being deleted are going, and can't be cancelled.
  if tonumber(created) <= before and cancel == '' and #found < 2 * limit
    and redis.call('EXISTS', key('thread', thread)) == 1 then
    found[#found + 1] = run
    found[#found + 1] = thread
  end
end

-- `taken` is asked for each member; of a queue that is not wanted only the threads are.
local function each(queue, taken)
  for first = 0, math.huge, PAGE do
    local members = redis.call('ZRANGE', queue, first, first + PAGE - 1)
    for _, member in ipairs(members) do taken(member) end
    if #members < PAGE or #found >= 2 * limit then return end
  end
end
local function note(run)
  local thread = redis.call('HGET', key('run', run), 'thread_id')
  if thread then threads[thread] = true end
end

each(KEYS[1], wanted == 'pending' and note or take)
if wanted ~= 'running' then
  each(key('delayed'), take)
  for _, graph in ipairs(redis.call('SMEMBERS', key('graphs'))) do each(key('ready', graph), take) end
  each(key('removals'), function(removal)
    local thread = string.match(removal, '^(.*):')
    if thread then threads[thread] = true end
  end)
  for thread in pairs(threads) do
    each(key('waiting', thread), function(member) take(string.match(member, ':(.*)$')) end)
  end
end
return found
