#!lua flags=allow-oom
--[[ cancel: stop a run, wherever it is.            delayed | waiting | ready ──▶ terminal;   leased: asks its owner

  The intent is stored before it is published, so it can't be lost: the owner also learns it from its next append or
  heartbeat. An owner that has not ended the run by the deadline is overruled by `overrule`, or by a sweep.

  KEYS  1 run
  ARGV  1 run id  2 thread id  3 action (`interrupt`)  4 graceMs
  Returns  'ended' (it was pending) | 'requested' | 'run_missing' | 'run_ended'
  Holds  I7
]]
--- @include "base"
--- @include "events"
--- @include "queue"
--- @include "end_run"
--- @include "cancelled"
local run, thread, action, grace_ms = unpack(ARGV)
local status, held_thread, owner = unpack(redis.call('HMGET', KEYS[1], 'status', 'thread_id', 'owner'))
if held_thread ~= thread then return 'run_missing' end
if status == 'pending' then
  end_cancelled(run)
  return 'ended'
end
if status ~= 'running' then return 'run_ended' end

redis.call('HSET', KEYS[1], 'cancel', action)
redis.call('ZADD', key('cancels'), 'NX', now + tonumber(grace_ms), run)
redis.call('SPUBLISH', key('control'), action .. ' ' .. owner)
return 'requested'
