--- @include "thread_index"
--[[ What goes takes more steps than one script should: first a fence, then steps that any process can repeat.

  removals          zset  by the time of its latest step: `<thread>`, to be deleted, or `<thread>:<what>`, whose checkpoints
                          go: those of the run `<what>`, or all but the newest where it is `keep_latest`
  removing:<thread> hash  the thread that is being deleted, as it was: without its hash every fenced script refuses
  expiring          zset  threads with a ttl, by the time at which a sweep should look at them

  While checkpoints go, `<what>` is the thread's active run, which is none that could be claimed or could write: what is
  accepted meanwhile waits behind it. ]]
local function is_deleting(thread)
  return redis.call('ZSCORE', key('removals'), thread) ~= false
end

-- The thread is `what`'s until its checkpoints are gone.
local function begin_removal(thread, what)
  redis.call('ZADD', key('removals'), now, thread .. ':' .. what)
  redis.call('HSET', key('thread', thread), 'active', what, 'status', 'busy')
  thread_changed(thread)
  redis.call('HINCRBY', key('thread', thread), 'changes', 1)
end

local function tell_owner(word, owner)
  if owner and owner ~= '' then redis.call('SPUBLISH', key('control'), word .. ' ' .. owner) end
end
