#!lua flags=allow-oom
--[[ delete_thread: a thread goes, with up to `limit` of its runs a call.
                                                             delayed | waiting | ready | leased | terminal ──▶ gone

  The first call takes the thread's hash away, so that nothing can be claimed, accepted or written any more. Open runs end
  for their followers, and their owners are told that they are lost.

  KEYS  1 thread
  ARGV  1 thread id  2 limit (runs)
        3 what is asked: `delete`; `expire`, only if it has been idle for longer than its ttl and that deletes; `go_on`,
          only with a deletion that was begun: another process may have ended it, and a new thread have the id
  Returns  {'missing'} | {'kept'} (it is not to expire now) | {'more' or 'gone', ids of the runs that went…}
  Holds  I8, I9
]]
--- @include "base"
--- @include "events"
--- @include "queue"
--- @include "thread_index"
--- @include "removal"
--- @include "expired"
local thread, limit, asked = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local exists = redis.call('EXISTS', KEYS[1]) == 1
if not is_deleting(thread) and (not exists or asked == 'go_on') then
  if not exists then redis.call('ZREM', key('expiring'), thread) end
  return { 'missing' }
end
if exists and asked == 'expire' and not expired(KEYS[1], thread, 'delete') then return { 'kept' } end

local removing = key('removing', thread)

-- Without `append_events`, which would count in the thread's hash, and whose stream is not kept.
local function tell_end(run, owner, last)
  local id = event_after(last, 1)
  local number = redis.call('HINCRBY', removing, 'seq', 1)
  redis.call('SPUBLISH', key('follow', thread), run .. ' ' .. (owner == '' and '-' or owner) .. ' ' .. last .. ' ' .. id ..
    '\n' .. id .. '\n' .. number .. '\nend\n{}')
end

local answer = { 'gone' }
local function let_go(run)
  local status, graph, owner, last, place =
    unpack(redis.call('HMGET', key('run', run), 'status', 'graph_id', 'owner', 'last', 'place'))
  if status == 'pending' or status == 'running' then
    tell_owner('lost', owner)
    tell_end(run, owner, last)
    leave_queues(run, thread, graph, place)
    settle_tokens(graph)
  end
  redis.call('UNLINK', key('run', run), key('events', run))
  answer[#answer + 1] = run
end

if exists then
  local active = redis.call('HGET', KEYS[1], 'active')
  redis.call('RENAME', KEYS[1], removing)
  redis.call('ZREM', key('expiring'), thread)
  -- The only one that could be claimed, or that a sweep could end or hand on, which would make the thread's hash anew.
  if active and active ~= '' then
    redis.call('ZREM', key('removals'), thread .. ':' .. active)
    let_go(active)
  end
end
redis.call('ZADD', key('removals'), now, thread)
thread_gone(thread)

local members = redis.call('ZRANGE', key('runs', thread), 0, limit - 1)
for _, member in ipairs(members) do
  let_go(string.match(member, ':(.*)$'))
  redis.call('ZREM', key('runs', thread), member)
end
if redis.call('EXISTS', key('runs', thread)) == 1 then answer[1] = 'more'
else
  redis.call('UNLINK', key('waiting', thread), key('order', thread), key('states', thread))
  -- Those who follow the thread look, and find it gone.
  redis.call('SPUBLISH', key('follow', thread), '- - 0-0 0-0')
end
return answer
