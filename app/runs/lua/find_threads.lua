#!lua flags=no-writes
--[[ find_threads: a page of a partition's threads in an order. It looks at entries of indexes alone: of one set that is
  kept in the order, or of none, at the page; else at the smallest set, to count those that are in all of them.

  KEYS  1 threads:indexed  hash
  ARGV  1 order: thread_id, created_at, updated_at, state_updated_at; or status, then by updated_at
        2 `asc` or `desc`   3 offset   4 limit
        5… sets of the index that a thread must be in: `status:<status>`, `with:<term>`
  Returns  {how many there are, thread id, place, thread id, place, …}; among equal places the id decides
]]
--- @include "keys"
local wanted_order, descending, offset, limit = ARGV[1], ARGV[2] == 'desc', tonumber(ARGV[3]), tonumber(ARGV[4])
local STATUSES = { 'busy', 'error', 'idle', 'interrupted' }
-- No more are sorted here.
local MOST_SORTED = 1000
local LEAST_STEP, LARGEST_STEP = 20, 400
-- More than any time in ms: places by status, then by time.
local STATUS_PLACE = 1e14

local function count(order, sets)
  if #sets == 0 then return redis.call('ZCARD', key('threads', order)) end
  if #sets == 1 then return redis.call('ZCARD', sets[1]) end
  return redis.call('ZINTERCARD', #sets, unpack(sets))
end

-- The zset to go along, and the sets in which its members must be. All sets are themselves by updated_at.
local function plan(order, sets)
  if order ~= 'updated_at' or #sets == 0 then return key('threads', order), sets end
  local smallest, size = 1, math.huge
  for at, set in ipairs(sets) do
    local members = redis.call('ZCARD', set)
    if members < size then smallest, size = at, members end
  end
  local others = {}
  for at, set in ipairs(sets) do
    if at ~= smallest then others[#others + 1] = set end
  end
  return sets[smallest], others
end

local function range(zset, first, last)
  if descending then return redis.call('ZRANGE', zset, first, last, 'REV', 'WITHSCORES') end
  return redis.call('ZRANGE', zset, first, last, 'WITHSCORES')
end

local function sorted(along, others, skip, most)
  local weights = { 1 }
  for _ = 1, #others do weights[#weights + 1] = 0 end
  local args = { along, unpack(others) }
  args[#args + 1] = 'WEIGHTS'
  for _, weight in ipairs(weights) do args[#args + 1] = weight end
  args[#args + 1] = 'WITHSCORES'
  local all = redis.call('ZINTER', #others + 1, unpack(args))
  local size, rows = #all / 2, {}
  for at = skip + 1, math.min(skip + most, size) do
    local place = descending and size - at + 1 or at
    rows[#rows + 1] = all[2 * place - 1]
    rows[#rows + 1] = all[2 * place]
  end
  return rows
end

-- expected: so far on a page ends, if those in all sets are spread evenly.
local function walked(along, others, skip, most, expected)
  local step = math.min(math.max(math.ceil(1.5 * expected), LEAST_STEP), LARGEST_STEP)
  local rows, met = {}, 0
  for first = 0, math.huge, step do
    local entries = range(along, first, first + step - 1)
    local members = {}
    for at = 1, #entries, 2 do members[#members + 1] = entries[at] end
    if #members == 0 then return rows end
    local is_in = {}
    for _, set in ipairs(others) do is_in[#is_in + 1] = redis.call('ZMSCORE', set, unpack(members)) end
    for at, member in ipairs(members) do
      local in_all = true
      for _, scores in ipairs(is_in) do in_all = in_all and scores[at] end
      if in_all then
        met = met + 1
        if met > skip then
          rows[#rows + 1] = member
          rows[#rows + 1] = entries[2 * at]
        end
        if met == skip + most then return rows end
      end
    end
  end
end

local function page(order, sets, total, skip, most)
  if most <= 0 or skip >= total then return {} end
  local along, others = plan(order, sets)
  if #others == 0 then return range(along, skip, skip + most - 1) end
  -- Where they are frequent, walking along the order soon meets a page of them.
  local expected = (skip + most) * redis.call('ZCARD', along) / total
  if total > MOST_SORTED or expected < total then return walked(along, others, skip, most, expected) end
  return sorted(along, others, skip, most)
end

local sets, wanted_status = {}, nil
for at = 5, #ARGV do
  sets[#sets + 1] = key('threads', ARGV[at])
  wanted_status = wanted_status or string.match(ARGV[at], '^status:(.*)$')
end

local total = count(wanted_order == 'status' and 'updated_at' or wanted_order, sets)
if wanted_order ~= 'status' then return { total, unpack(page(wanted_order, sets, total, offset, limit)) } end

-- One status after the other, each by updated_at, until the page is full.
local answer, before = { total }, 0
for at = 1, #STATUSES do
  local missing = limit - (#answer - 1) / 2
  if missing <= 0 then break end
  local rank = descending and #STATUSES - at + 1 or at
  local of_status = { unpack(sets) }
  if not wanted_status then of_status[#of_status + 1] = key('threads', 'status', STATUSES[rank]) end
  if not wanted_status or wanted_status == STATUSES[rank] then
    local here = count('updated_at', of_status)
    local rows = page('updated_at', of_status, here, math.max(0, offset - before), missing)
    for row = 1, #rows, 2 do
      answer[#answer + 1] = rows[row]
      answer[#answer + 1] = string.format('%.0f', rank * STATUS_PLACE + rows[row + 1])
    end
    before = before + here
  end
end
return answer
