--[[ The one place where a run becomes terminal. It may be in any state before.
  Its last event, `end`, carries what wait and join answer, so a run that leaves no record still answers while its
  events are kept. ]]
--- @include "settle"
--- @include "order"
--- @include "webhook"
local RECORD_MS = 7 * 24 * 3600 * 1000
local RESUMABLE_EVENTS_MS = 3600 * 1000
local EVENTS_MS = 5 * 60 * 1000

--[[ run: id; fields: its hash, as HMGET of `end_fields`; events: not yet stored ones, before `end`
  outcome: {status, answer (JSON), by (the owner, when it ends its run itself), error (JSON or nil),
            thread_status (nil: as before this run), values, interrupts (JSON; nil: unchanged),
            stale (true: the run had begun, and nobody told what state it left)} ]]
local end_fields = { 'thread_id', 'graph_id', 'last', 'owner', 'place', 'lifetime', 'resumable' }

local function append_end(run, fields, events, outcome)
  local thread, _, last, owner, _, _, resumable = unpack(fields)
  local before = #events > 0 and events[#events][1] or last
  events[#events + 1] = { event_after(before, 1), 'end', outcome.answer, 's', outcome.status }
  local number = append_events(thread, run, owner == '' and '-' or owner, last, events)
  order_end(thread, run, number)
  redis.call('PEXPIRE', key('events', run), resumable == '1' and RESUMABLE_EVENTS_MS or EVENTS_MS)
end

local function end_run(run, fields, events, outcome)
  local thread, graph, _, _, place, lifetime = unpack(fields)
  local run_key, thread_key = key('run', run), key('thread', thread)

  append_end(run, fields, events, outcome)
  leave_queues(run, thread, graph, place)
  tell_webhook(run, thread, lifetime, outcome)

  if lifetime == 'delete' then
    redis.call('DEL', run_key, thread_key, key('runs', thread), key('order', thread))
    return
  end

  redis.call('HSET', run_key, 'status', outcome.status, 'owner', '', 'ended_by', outcome.by or '', 'updated_at', now)
  if outcome.error then redis.call('HSET', run_key, 'error', outcome.error) end
  redis.call('PEXPIRE', run_key, RECORD_MS)

  if outcome.thread_status then redis.call('HSET', thread_key, 'settled', outcome.thread_status) end
  if outcome.values then
    redis.call('HSET', thread_key, 'values', outcome.values, 'interrupts', outcome.interrupts, 'state_updated_at', now)
    redis.call('HDEL', thread_key, 'stale')
  elseif outcome.stale then
    redis.call('HSET', thread_key, 'stale', '1')
  end
  if redis.call('HGET', thread_key, 'active') == run then promote_next(thread) end
  redis.call('HINCRBY', thread_key, 'open', -1)
  settle_status(thread_key)
end
