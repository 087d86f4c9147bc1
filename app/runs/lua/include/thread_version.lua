--[[ What a state update depends on: it reads a thread's state, lets the graph compute another one, and writes that only if
  nothing has happened meanwhile. `created_by` tells a thread from another one under the same id, `seq` counts the events of
  its runs, `changes` what else changed its state: other updates, and checkpoints that went. ]]
local function thread_version(thread)
  local by, seq, changes = unpack(redis.call('HMGET', key('thread', thread), 'created_by', 'seq', 'changes'))
  return (by or '') .. ':' .. (seq or '') .. ':' .. (changes or '0')
end

-- Why a state that was read at `version` may not be written any more, or nil.
local function changed_since(thread, version)
  local active, open = unpack(redis.call('HMGET', key('thread', thread), 'active', 'open'))
  if not active then return 'thread_missing' end
  if active ~= '' or tonumber(open) > 0 then return 'thread_busy' end
  if thread_version(thread) ~= version then return 'thread_changed' end
end
