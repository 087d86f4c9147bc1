#!lua flags=allow-oom
--[[ finish: the owner ends its run.                                  leased ──▶ terminal

  KEYS  1 run
  ARGV  1 run id  2 thread id  3 owner  4 attempt  5 seq of the first event
        6 status         `success`, `error` or `interrupted`; a run whose cancel was accepted ends `interrupted`
        7 thread status  `idle`, `interrupted` or `error`
        8 answer         JSON: what wait and join answer
        9 values         JSON, the thread's state, or '' to leave it   10 interrupts  JSON, with values
       11 error          JSON {error, message}, or ''
       12… name, data of the events not yet stored
  Returns  'ended', also when this owner had ended it before | 'lost', also when the run left no record
  Holds  I1 (one terminal status), I3
]]
--- @include "base"
--- @include "fence"
--- @include "events"
--- @include "queue"
--- @include "end_run"
local run, thread, owner, attempt, first, status, thread_status, answer, values, interrupts, failure = unpack(ARGV, 1, 11)
if fenced(thread, run, owner) then
  return redis.call('HGET', KEYS[1], 'ended_by') == owner and 'ended' or 'lost'
end

local fields = redis.call('HMGET', KEYS[1], unpack(end_fields))
local events = unstored(attempt, first, fields[3], { unpack(ARGV, 12) })
if redis.call('HGET', KEYS[1], 'cancel') ~= '' then
  if status == 'error' then
    -- Stopping made it fail, or it failed while it was stopped: its client asked for the stop.
    if #events > 0 and events[#events][2] == 'error' then table.remove(events) end
    answer, thread_status, failure = values ~= '' and values or '{}', 'interrupted', ''
  end
  status = 'interrupted'
end
end_run(run, fields, events, {
  status = status,
  by = owner,
  answer = answer,
  thread_status = thread_status,
  values = values ~= '' and values or nil,
  interrupts = interrupts,
  error = failure ~= '' and failure or nil,
})
return 'ended'
