--[[ Events of a run: stored in its stream under explicit ids `<attempt>-<seq>`, then published once, all together.
  The stream is the truth. A message is a header line `run owner previousId lastId`, then four lines an event: id, number
  in the thread, name, data (JSON without line breaks). A follower that doesn't hold `previousId` reads the stream, as
  it does when only the header comes: a long message is published by id, or one slow subscriber would fill Redis's
  output buffer and lose its connection. ]]
local INLINE_BYTES = 65536

--[[ What a run keeps of its events; beyond it the oldest go, an eighth of a megabyte at a time. (Measured with tokens of
  20 bytes, for which it takes longest: some 13 ms; a whole megabyte takes 75, in which Redis answers nobody.) `bytes` in
  the run's hash counts them; of those that a release without it stored it knows nothing.
  `0-1` stays: enqueue knows the request by it. Whoever holds an id tells by its successor whether something is missing:
  `a-s` is followed by `a-(s+1)`, or by the `b-0` of a later attempt. So what is left never begins with an `x-0`, which
  would follow on anything. ]]
local KEPT_BYTES = 8 * 1024 * 1024
local TRIMMED_BYTES = 128 * 1024
local ENTRY_BYTES = 32
local TRIMMED_AT_ONCE = 100

local function trim_events(stream, newest, bytes)
  local enough = KEPT_BYTES - TRIMMED_BYTES
  while true do
    local oldest, gone = redis.call('XRANGE', stream, '(0-1', '+', 'COUNT', TRIMMED_AT_ONCE), {}
    for _, entry in ipairs(oldest) do
      local id, fields = entry[1], entry[2]
      if id == newest or (bytes <= enough and not string.find(id, '%-0$')) then break end
      gone[#gone + 1] = id
      bytes = bytes - #fields[2] - #fields[6] - ENTRY_BYTES
    end
    if #gone > 0 then redis.call('XDEL', stream, unpack(gone)) end
    if #gone < TRIMMED_AT_ONCE then return math.max(0, bytes) end
  end
end

local function event_after(last, steps)
  local attempt, seq = string.match(last, '^(%d+)-(%d+)$')
  return attempt .. '-' .. (tonumber(seq) + steps)
end

-- events: a list of {id, name, data, further fields of the stored entry…}, contiguous after the run's `last`
-- Returns the number in the thread of the last of them.
local function append_events(thread, run, owner, last, events)
  local stream = key('events', run)
  local numbered = redis.call('HINCRBY', key('thread', thread), 'seq', #events) - #events
  local lines, bytes, stored = {}, 0, 0
  for index, event in ipairs(events) do
    redis.call('XADD', stream, event[1], 'e', event[2], 'n', numbered + index, 'd', event[3], unpack(event, 4))
    lines[#lines + 1] = event[1] .. '\n' .. (numbered + index) .. '\n' .. event[2] .. '\n' .. event[3]
    bytes = bytes + #event[3]
    stored = stored + #event[2] + #event[3] + ENTRY_BYTES
  end
  local newest = events[#events][1]
  redis.call('HSET', key('run', run), 'last', newest, 'updated_at', now)
  local kept = redis.call('HINCRBY', key('run', run), 'bytes', stored)
  -- The first event of an attempt is small, and could be left as the only one.
  if kept > KEPT_BYTES and not string.find(newest, '%-0$') then
    redis.call('HSET', key('run', run), 'bytes', trim_events(stream, newest, kept))
  end
  local message = run .. ' ' .. owner .. ' ' .. last .. ' ' .. newest
  if bytes <= INLINE_BYTES then message = message .. '\n' .. table.concat(lines, '\n') end
  redis.call('SPUBLISH', key('follow', thread), message)
  return numbered + #events
end

-- Events as a worker sends them, {name, data, name, data, …} numbered from `first`, less those already stored: a
-- retried call stores nothing twice.
local function unstored(attempt, first, last, values)
  local stored_attempt, stored_seq = string.match(last, '^(%d+)-(%d+)$')
  local stored = tonumber(stored_attempt) == tonumber(attempt) and tonumber(stored_seq) or -1
  local events = {}
  for index = 1, #values, 2 do
    local seq = tonumber(first) + (index - 1) / 2
    if seq > stored then events[#events + 1] = { attempt .. '-' .. seq, values[index], values[index + 1] } end
  end
  return events
end
