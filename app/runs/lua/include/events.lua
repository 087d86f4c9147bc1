--[[ Events of a run: stored in its stream under explicit ids `<attempt>-<seq>`, then published once, all together.
  The stream is the truth. A message is a header line `run owner previousId lastId`, then four lines an event: id, number
  in the thread, name, data (JSON without line breaks). A follower that doesn't hold `previousId` reads the stream, as
  it does when only the header comes: a long message is published by id, or one slow subscriber would fill Redis's
  output buffer and lose its connection. ]]
local INLINE_BYTES = 65536

local function event_after(last, steps)
  local attempt, seq = string.match(last, '^(%d+)-(%d+)$')
  return attempt .. '-' .. (tonumber(seq) + steps)
end

-- events: a list of {id, name, data, further fields of the stored entry…}, contiguous after the run's `last`
local function append_events(thread, run, owner, last, events)
  local stream = key('events', run)
  local numbered = redis.call('HINCRBY', key('thread', thread), 'seq', #events) - #events
  local lines, bytes = {}, 0
  for index, event in ipairs(events) do
    redis.call('XADD', stream, event[1], 'e', event[2], 'n', numbered + index, 'd', event[3], unpack(event, 4))
    lines[#lines + 1] = event[1] .. '\n' .. (numbered + index) .. '\n' .. event[2] .. '\n' .. event[3]
    bytes = bytes + #event[3]
  end
  local newest = events[#events][1]
  redis.call('HSET', key('run', run), 'last', newest, 'updated_at', now)
  local message = run .. ' ' .. owner .. ' ' .. last .. ' ' .. newest
  if bytes <= INLINE_BYTES then message = message .. '\n' .. table.concat(lines, '\n') end
  redis.call('SPUBLISH', key('follow', thread), message)
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
