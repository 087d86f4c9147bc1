#!lua flags=allow-oom
--[[ undo_run: take a removed run out of its thread's history, up to `limit` checkpoints a call.
  Its checkpoints are the newest of each namespace, since only a thread's active run writes: they go from the newest on.
  Where the first of them started from another's checkpoint, what the run wrote beside that one goes, and what was there before
  comes back; so it does along the trail, which tells of writes that no checkpoint of the run followed. So the head is
  again the checkpoint that the run started from. Every call may be repeated, from any place, by any process.

  KEYS  1 history  zset  its namespaces
  ARGV  1 and 2 thread   3 run   4 namespace to go on with: `-` at first, then what the last call returned   5 limit
  Returns  namespace to go on with, or '' when nothing is left
  Holds  I3 (the run can't be its thread's writer any more; see include/removal.lua)
]]
--- @include "base"
--- @include "history"
--- @include "undo"
local thread, run, from, room = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if redis.call('ZADD', key('removals'), 'XX', 'CH', now, thread .. ':' .. run) == 0
  and not redis.call('ZSCORE', key('removals'), thread .. ':' .. run) then return '' end
local history = history_of(thread)
local namespaces = key('history', history)

for _, stop in ipairs(redis.call('SPOP', key('trail', history), room)) do
  local id, ns = string.match(stop, '^([^:]*):(.*)$')
  undo_writes(history, ns, id, run, true)
  room = room - 1
end

local function undo_beside_parent(ns, checkpoint)
  local parent = redis.call('HGET', checkpoint, 'parent')
  if parent ~= '' and author_run(checkpoint_key(history, ns, parent)) ~= run then
    undo_writes(history, ns, parent, run, true)
  end
end

-- Writes whose checkpoint has not come, and will not.
local function undo_awaiting(ns)
  local index = key('checkpoints', history, ns)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, 0, 0)) do
    local checkpoint = checkpoint_key(history, ns, id)
    undo_writes(history, ns, id, run, true)
    if redis.call('EXISTS', checkpoint) == 0 then redis.call('ZREM', index, id) end
  end
  close_index(history, ns)
end

while room > 0 do
  local ns = redis.call('ZRANGEBYLEX', namespaces, from, '+', 'LIMIT', 0, 1)[1]
  if not ns then
    -- One that was copied keeps its values for those who read it, a copy what it stands on.
    if redis.call('EXISTS', namespaces, key('layer', history)) == 0 then
      redis.call('UNLINK', key('blobs', history), key('trail', history))
      redis.call('ZREM', key('histories'), thread)
    end
    return ''
  end
  from = '[' .. ns
  local id = newest_id(history, ns)
  local checkpoint = id and checkpoint_key(history, ns, id)
  if checkpoint and author_run(checkpoint) == run then
    undo_beside_parent(ns, checkpoint)
    remove_checkpoint(history, ns, id)
  else
    undo_awaiting(ns)
    from = '(' .. ns
  end
  room = room - 1
end
return from
