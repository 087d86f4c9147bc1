#!lua flags=allow-oom
--[[ release: the owner hands its run back, at a drain; it counts as no failure.   leased ──▶ ready | terminal

  KEYS  1 run
  ARGV  1 run id  2 thread id  3 owner
  Returns  'released' | 'ended' (its cancel had been accepted) | 'lost'
  Holds  I1, I5 (the run keeps its place)
]]
--- @include "base"
--- @include "fence"
--- @include "events"
--- @include "queue"
--- @include "end_run"
--- @include "cancelled"
local run, thread, owner = unpack(ARGV)
if fenced(thread, run, owner) then return 'lost' end
if redis.call('HGET', KEYS[1], 'cancel') ~= '' then
  end_cancelled(run)
  return 'ended'
end
local graph, due = unpack(redis.call('HMGET', KEYS[1], 'graph_id', 'due'))
redis.call('HSET', KEYS[1], 'status', 'pending', 'owner', '', 'updated_at', now)
redis.call('ZREM', key('leases'), run)
make_ready(run, graph, due)
return 'released'
