#!lua flags=allow-oom
--[[ append: store and publish events of a running attempt.          leased ──▶ leased

  KEYS  1 run
  ARGV  1 run id  2 thread id  3 owner  4 attempt  5 seq of the first event
        6… name, data (JSON) of each event
  Returns  {'kept', cancel action or ''}, also when they had been stored before | {'lost'} (another attempt owns the run)
  Holds  I3 (nothing by an attempt after a later one was claimed), I4 (contiguous ids)
]]
--- @include "base"
--- @include "fence"
--- @include "events"
local run, thread, owner, attempt, first = unpack(ARGV, 1, 5)
if fenced(thread, run, owner) then return { 'lost' } end

local last, cancel = unpack(redis.call('HMGET', KEYS[1], 'last', 'cancel'))
local events = unstored(attempt, first, last, { unpack(ARGV, 6) })
if #events > 0 then append_events(thread, run, owner, last, events) end
return { 'kept', cancel }
