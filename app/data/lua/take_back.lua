#!lua flags=allow-oom
--[[ take_back: make a thread ready for its active run to be started again.
  Undone are the run's writes in LangGraph's own channels (answers, questions, errors) beside checkpoints of others, or its
  command would meet itself; what they had replaced comes back: the answer that a human gave to an earlier question of the
  same node is not lost. What its tasks had finished stays, and is not executed again. The checkpoints of subgraphs that
  the run stored are removed: one that stands at its next question would take the answer to the last one.
  A run that has stored a checkpoint of the root graph goes on from there, and nothing is undone.

  KEYS  1 history  zset  its namespaces
  ARGV  1 history   2 thread   3 run   4 owner
  Returns  the number of checkpoints removed and writes undone | 'fenced'
  Holds  I3
]]
--- @include "keys"
--- @include "fence"
--- @include "history"
local history, thread, run, owner = unpack(ARGV)
if fenced(thread, run, owner) then return 'fenced' end

local function remove_checkpoint(ns, id)
  local index = key('checkpoints', history, ns)
  redis.call('UNLINK', checkpoint_key(history, ns, id))
  redis.call('ZREM', index, id)
  if redis.call('EXISTS', index) == 0 then redis.call('ZREM', KEYS[1], ns) end
  return 1
end

local function undo_writes(checkpoint)
  local undone = 0
  local flat = redis.call('HGETALL', checkpoint)
  for at = 1, #flat, 2 do
    local place = string.match(flat[at], '^w:(.*)$')
    local write = place and cmsgpack.unpack(flat[at + 1])
    if write and write[8][1] == run and tonumber(write[3]) < 0 then
      local replaced = redis.call('HGET', checkpoint, 'o:' .. place)
      if replaced then redis.call('HSET', checkpoint, 'w:' .. place, replaced)
      else redis.call('HDEL', checkpoint, 'w:' .. place) end
      redis.call('HDEL', checkpoint, 'o:' .. place)
      undone = undone + 1
    end
  end
  return undone
end

local undone = 0
for _, stop in ipairs(redis.call('SMEMBERS', key('trail', history))) do
  local id, ns = string.match(stop, '^([^:]*):(.*)$')
  local checkpoint = checkpoint_key(history, ns, id)
  local author = redis.call('HGET', checkpoint, 'author')
  local own = author and cmsgpack.unpack(author)[1] == run
  undone = undone + (own and remove_checkpoint(ns, id) or undo_writes(checkpoint))
end
redis.call('UNLINK', key('trail', history))
return undone
