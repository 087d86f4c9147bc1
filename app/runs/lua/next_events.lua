#!lua flags=no-writes
--[[ next_events: where the events are that follow a place in a thread's order.

  KEYS  1 thread
  ARGV  1 thread id  2 number of the event at that place
  Returns  {} (there is no such thread)
           | {number of the newest event, created_at, and where something follows: source (a run, or `states`), id of its
             first event after the place, the number of that}
]]
--- @include "keys"
-- Looked at first, and where none of them has the very next event: most replays are of the newest few.
local FEW, MOST = 20, 1000
local thread, after = ARGV[1], tonumber(ARGV[2])
local newest, created = unpack(redis.call('HMGET', KEYS[1], 'seq', 'created_at'))
if not created then return {} end

local function number_of(entry) return tonumber(entry[2][4]) end

local function parts_of(entry)
  local attempt, seq = string.match(entry[1], '^(%d+)-(%d+)$')
  return attempt, tonumber(seq)
end

--[[ The first event after the place in a run's stream. Within an attempt numbers grow at least as fast as ids, faster only
  where events of other runs lie between: so the event that is as many ids before a later one as numbers are missing lies
  at the place or before it, and what is left to search is as short as what lay between. ]]
local function first_after(stream)
  local later = redis.call('XREVRANGE', stream, '+', '(0-1', 'COUNT', 1)[1]
  if not later or number_of(later) <= after then return end
  while true do
    local attempt, seq = parts_of(later)
    local from = math.max(0, seq - (number_of(later) - after - 1))
    local earlier = redis.call('XRANGE', stream, attempt .. '-' .. from, later[1], 'COUNT', 1)[1]
    if number_of(earlier) <= after then
      local _, low = parts_of(earlier)
      while seq - low > 1 do
        local middle = math.floor((low + seq) / 2)
        local entry = redis.call('XRANGE', stream, attempt .. '-' .. middle, later[1], 'COUNT', 1)[1]
        if number_of(entry) > after then
          later, seq = entry, middle
        else
          _, low = parts_of(entry)
        end
      end
      return later
    end
    -- What is kept of the attempt begins behind the place: it may lie in an earlier one.
    later = redis.call('XREVRANGE', stream, '(' .. earlier[1], '(0-1', 'COUNT', 1)[1]
    if not later or number_of(later) <= after then return earlier end
  end
end

local first, source
local function look_at(run)
  local entry = first_after(key('events', run))
  if entry and (not first or number_of(entry) < number_of(first)) then first, source = entry, run end
end

local function look_at_ended(count)
  local order = key('order', thread)
  for _, run in ipairs(redis.call('ZRANGEBYSCORE', order, '(' .. after, '+inf', 'LIMIT', 0, count)) do look_at(run) end
end

local function found() return first and number_of(first) == after + 1 end

if tonumber(newest) > after then
  for _, entry in ipairs(redis.call('XRANGE', key('states', thread), '-', '+')) do
    if number_of(entry) > after then
      first, source = entry, 'states'
      break
    end
  end
  if not found() then
    for _, run in ipairs(redis.call('ZRANGEBYSCORE', key('order', thread), '+inf', '+inf')) do look_at(run) end
  end
  if not found() then look_at_ended(FEW) end
  if not found() then
    look_at_ended(MOST)
    -- Those that a release without the order wrote.
    for _, member in ipairs(redis.call('ZREVRANGE', key('runs', thread), 0, FEW - 1)) do
      look_at(string.match(member, ':(.*)$'))
    end
  end
end
if not first then return { newest, created } end
return { newest, created, source, first[1], first[2][4] }
