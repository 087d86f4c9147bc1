#!lua flags=allow-oom
--[[ delete_run: a run goes.         delayed | waiting | ready | leased | terminal ──▶ gone
  An open one is rolled back. Of one that has ended the checkpoints go with it only where they are still the newest of an
  idle thread: what came after them was built on them, and would have no beginning.

  KEYS  1 run
  ARGV  1 run id  2 thread id
  Returns  'gone' | 'removing' (its checkpoints are to go) | 'missing'
  Holds  I8, I9
]]
--- @include "base"
--- @include "events"
--- @include "queue"
--- @include "end_run"
--- @include "roll_back"
--- @include "history"
--- @include "undo"
local run, thread = unpack(ARGV)
local thread_key = key('thread', thread)
local status, held_thread, place = unpack(redis.call('HMGET', KEYS[1], 'status', 'thread_id', 'place'))
if held_thread ~= thread or redis.call('EXISTS', thread_key) == 0 then return 'missing' end
if status == 'pending' or status == 'running' then return roll_back(run) and 'removing' or 'gone' end

redis.call('UNLINK', KEYS[1], key('events', run))
redis.call('ZREM', key('runs', thread), place .. ':' .. run)
restore_graph(thread)
thread_changed(thread)
local history = history_of(thread)
local newest = newest_id(history, '')
local is_newest = newest and author_run(checkpoint_key(history, '', newest)) == run
if redis.call('HGET', thread_key, 'active') ~= '' or not is_newest then return 'gone' end
-- Its state was the thread's: what it was before is read from the checkpoints that stay.
redis.call('HSET', thread_key, 'settled', 'idle', 'stale', '1')
begin_removal(thread, run)
return 'removing'
