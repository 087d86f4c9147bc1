#!lua flags=allow-oom
--[[ delete_history: remove up to `limit` checkpoints of a history, and after the last one the history itself.

  KEYS  1 history  zset  its namespaces
  ARGV  1 history   2 limit (checkpoints)
        3 thread, where it is being deleted: only while it is, since another process may have ended that, and a new thread
          have its id
  Returns  1 when there is more to remove, else 0
]]
--- @include "keys"
--- @include "history"
local history, room, thread = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if thread and not redis.call('ZSCORE', key('removals'), thread) then return 0 end
while room > 0 do
  local ns = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
  if not ns then
    redis.call('UNLINK', key('blobs', history), key('trail', history))
    redis.call('ZREM', key('histories'), history)
    return 0
  end
  local index = key('checkpoints', history, ns)
  local ids = redis.call('ZRANGE', index, 0, room - 1)
  for _, id in ipairs(ids) do
    redis.call('UNLINK', checkpoint_key(history, ns, id))
    redis.call('ZREM', index, id)
  end
  if redis.call('EXISTS', index) == 0 then redis.call('ZREM', KEYS[1], ns) end
  room = room - math.max(#ids, 1)
end
return 1
