#!lua flags=allow-oom
--[[ cancel: stop a run, wherever it is.            delayed | waiting | ready ──▶ terminal;   leased: asks its owner
                                     `rollback`:    delayed | waiting | ready | leased ──▶ gone

  The intent is stored before it is published, so it can't be lost: the owner also learns it from its next append or
  heartbeat. An owner that has not ended the run by the deadline is overruled by `overrule`, or by a sweep. A rollback
  asks nobody: the owner is told that the run is lost.

  KEYS  1 run
  ARGV  1 run id  2 thread id  3 action (`interrupt` or `rollback`)  4 graceMs
  Returns  'ended' (it was pending, or left nothing to remove) | 'requested' | 'removing' (its checkpoints are to go)
           | 'run_missing' | 'run_ended'
  Holds  I7
]]
--- @include "base"
--- @include "events"
--- @include "queue"
--- @include "end_run"
--- @include "roll_back"
local run, thread, action, grace_ms = unpack(ARGV)
local status, held_thread = unpack(redis.call('HMGET', KEYS[1], 'status', 'thread_id'))
-- Of a thread that is being deleted some runs may be left: they are going.
if held_thread ~= thread or redis.call('EXISTS', key('thread', thread)) == 0 then return 'run_missing' end
if status ~= 'pending' and status ~= 'running' then return 'run_ended' end
if action == 'rollback' then return roll_back(run) and 'removing' or 'ended' end
return cancel_open(run, grace_ms)
