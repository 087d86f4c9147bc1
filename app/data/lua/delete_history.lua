#!lua flags=allow-oom
--[[ delete_history: remove up to `limit` checkpoints of a thread's history, and after the last one the history itself.
  One that copies read stays for them, as it is, and is nobody's: the last of them takes it along. A thread that goes on
  after that (LangGraph may delete the checkpoints alone) has a new history.

  KEYS  1 history  zset  its namespaces
  ARGV  1 thread   2 limit (checkpoints)
        3 thread, where it is being deleted: only while it is, since another process may have ended that, and a new thread
          have its id
  Returns  1 when there is more to remove, else 0, or the history that has lost its last reader by this (see clear_unread)
  Holds  I9
]]
--- @include "base"
--- @include "history"
--- @include "clear"
local thread, room, deleting = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if deleting and not redis.call('ZSCORE', key('removals'), deleting) then return 0 end
local history = history_of(thread)

if layer_of(history).is_read then
  redis.call('HSET', key('layer', history), 'orphan', 1)
  redis.call('UNLINK', key('trail', history))
  redis.call('ZREM', key('histories'), thread)
  for _, kind in ipairs({ 'thread', 'removing' }) do
    if redis.call('EXISTS', key(kind, thread)) == 1 then
      redis.call('HSET', key(kind, thread), 'history', next_history(thread))
    end
  end
  return 0
end

room = clear_stored(history, room)
if clear_gone(history, room) == 0 then return 1 end
local base = clear_rest(history)
redis.call('ZREM', key('histories'), thread)
redis.call('ZREM', key('unread'), history)
return base == '' and 0 or base
