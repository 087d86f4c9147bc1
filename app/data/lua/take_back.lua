#!lua flags=allow-oom
--[[ take_back: make a thread ready for its active run to be started again.
  Undone are the run's writes in LangGraph's own channels (answers, questions, errors) beside checkpoints of others, or its
  command would meet itself; what they had replaced comes back: the answer that a human gave to an earlier question of the
  same node is not lost. What its tasks had finished stays, and is not executed again. The checkpoints of subgraphs that
  the run stored are removed: one that stands at its next question would take the answer to the last one.
  A run that has stored a checkpoint of the root graph goes on from there, and nothing is undone.

  KEYS  1 history  zset  its namespaces
  ARGV  1 and 2 thread   3 run   4 owner
  Returns  the number of checkpoints removed and writes undone | 'fenced'
  Holds  I3
]]
--- @include "keys"
--- @include "fence"
--- @include "history"
--- @include "undo"
local thread, run, owner = unpack(ARGV, 2)
if fenced(thread, run, owner) then return 'fenced' end
local history = history_of(thread)

local undone = 0
for _, stop in ipairs(redis.call('SMEMBERS', key('trail', history))) do
  local id, ns = string.match(stop, '^([^:]*):(.*)$')
  local checkpoint = checkpoint_key(history, ns, id)
  if author_run(checkpoint) == run then
    remove_checkpoint(history, ns, id)
    undone = undone + 1
  else
    undone = undone + undo_writes(history, ns, id, run)
  end
end
redis.call('UNLINK', key('trail', history))
return undone
