--[[ named:<h>:<pass>:<pruned_at>  set of the digests that the checkpoints left by a pass of keep_newest name, and
  `complete` when the pass is. Each pass has its own: what one does not know yet, another must not drop. It is of use for
  the thread's latest removal alone: a process that stood still must not drop what came after the one that it began. A
  pass that was left half done expires. ]]
local COMPLETE = 'complete'
local PASS_MS = 10 * 60 * 1000

local function named_key(history, thread, pass)
  return key('named', history, pass, redis.call('HGET', key('thread', thread), 'pruned_at') or '')
end
