--- @include "thread_version"
-- Why a write may not happen, or nil. `run` and `owner` are '' for a writer that is no attempt of a run; `version` is ''
-- unless it may only write while the thread is as it was at that version.
local function refusal(thread, run, owner, version)
  if owner ~= '' and fenced(thread, run, owner) then return 'fenced' end
  if version ~= '' then return changed_since(thread, version) end
end
