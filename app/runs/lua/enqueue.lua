#!lua
--[[ enqueue: accept a run.                                    ──▶ ready | waiting | delayed

  KEYS  1 run          hash; must not exist, or be the same request again
  ARGV  1 run id       2 thread id     3 graph id      4 assistant id
        5 lifetime     `thread` (a thread of the caller's), `keep` or `delete` (a thread of its own)
        6 strategy     `enqueue`, `reject`, or what becomes of all open runs of the thread: `interrupt` (cancelled) or
                       `rollback` (rolled back)
        7 if the thread is missing: `create` or `reject`
        8 afterMs      earliest start, from now
        9 resumable    `1` or `0`
       10 metadata     JSON     11 payload  JSON    12 requestHash
       13 metadata of a thread that is created, JSON   14 graceMs of those whose cancel is requested
       15 webhook      address to post the run to when it has ended, or ''
       16 ttl of a thread that is created (ms), or ''     17 what then: `delete` or `keep_latest`
  Returns  {'accepted', createdMs, run that was rolled back and whose checkpoints are to go or '', runs whose cancel was
           requested…} | {'same', status} (this request had been accepted) | {'id_reused'} (another one had)
           | {'id_taken'} (a stateless run can't have its own thread: one with its id exists)
           | {'thread_missing'} | {'thread_busy', active run or '' where none is}
           | {'thread_deleting'}
  Holds  I5 (order), I12 (what is refused leaves nothing behind)
]]
--- @include "base"
--- @include "thread"
--- @include "thread_index"
--- @include "events"
--- @include "queue"
--- @include "end_run"
--- @include "roll_back"
--- @include "open_runs"
--- @include "forget_expired"
local run, thread, graph, assistant, lifetime, strategy, if_missing = unpack(ARGV, 1, 7)
local due = now + tonumber(ARGV[8])
local resumable, metadata, payload, request_hash, thread_metadata, grace_ms, webhook = unpack(ARGV, 9, 15)
local ttl, ttl_strategy = ARGV[16], ARGV[17]
local thread_key, events = key('thread', thread), key('events', run)

local known, status = unpack(redis.call('HMGET', KEYS[1], 'request_hash', 'status'))
if not known then
  -- The record of a stateless run goes at its end, but its first, internal event and its last one still tell of it.
  local first = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
  if first then
    known = first[2][6]
    status = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1][2][8]
  end
end
if known then
  if known == request_hash then return { 'same', status } end
  return { 'id_reused' }
end

if is_deleting(thread) then return { 'thread_deleting' } end
local thread_lifetime = redis.call('HGET', thread_key, 'lifetime')
local exists = thread_lifetime ~= false
if exists and lifetime ~= 'thread' then return { 'id_taken' } end
-- The thread of a stateless run goes with it: it can have no other run.
if thread_lifetime == 'delete' then return { 'thread_missing' } end
if not exists and if_missing ~= 'create' then return { 'thread_missing' } end
if exists and strategy == 'reject' and tonumber(redis.call('HGET', thread_key, 'open')) > 0 then
  local active = redis.call('HGET', thread_key, 'active')
  return { 'thread_busy', redis.call('EXISTS', key('run', active)) == 1 and active or '' }
end

if not exists then
  create_thread(thread_key, thread_metadata, lifetime)
  if ttl ~= '' and lifetime ~= 'delete' then
    redis.call('HSET', thread_key, 'ttl', ttl, 'ttl_strategy', ttl_strategy)
  end
end
local due_in = promote_due()
local answer = { 'accepted', now, '' }
if exists and (strategy == 'interrupt' or strategy == 'rollback') then
  for _, other in ipairs(open_runs(thread)) do
    if strategy == 'rollback' then
      if roll_back(other) then answer[3] = other end
    elseif cancel_open(other, grace_ms) == 'requested' then
      answer[#answer + 1] = other
    end
  end
end
local place = string.format('%012d', redis.call('HINCRBY', thread_key, 'accepted', 1))
redis.call('HINCRBY', thread_key, 'open', 1)
redis.call('HSET', thread_key, 'status', 'busy', 'updated_at', now, 'graph_id', graph, 'assistant_id', assistant)
if lifetime ~= 'delete' then thread_changed(thread) end
redis.call('HSET', KEYS[1], 'thread_id', thread, 'graph_id', graph, 'assistant_id', assistant, 'lifetime', lifetime,
  'strategy', strategy, 'resumable', resumable, 'metadata', metadata, 'payload', payload, 'request_hash', request_hash,
  'status', 'pending', 'created_at', now, 'updated_at', now, 'due', due, 'place', place,
  'attempt', 0, 'failures', 0, 'owner', '', 'cancel', '', 'last', '0-1')
if webhook ~= '' then redis.call('HSET', KEYS[1], 'webhook', webhook) end
redis.call('ZADD', key('runs', thread), now, place .. ':' .. run)
forget_expired(thread)
redis.call('XADD', events, '0-1', 'e', 'enqueued', 'n', 0, 'd', request_hash, 't', thread)

-- Where more are due than one call promotes, an earlier one of this thread may be among those.
if due > now or due_in == 0 then redis.call('ZADD', key('delayed'), due, run)
else line_up(thread, run, graph, due, place) end
expire_later(thread_key, thread)
return answer
