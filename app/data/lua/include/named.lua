--[[ named:<h>:<pass>  set of the digests that the checkpoints left by a pass of keep_newest name, and `complete` when
  the pass is. Each pass has its own: what one does not know yet, another must not drop. A pass that was left half done
  expires. ]]
local COMPLETE = 'complete'
local PASS_MS = 10 * 60 * 1000

local function named_key(history, pass)
  return key('named', history, pass)
end
