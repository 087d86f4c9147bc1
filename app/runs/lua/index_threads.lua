#!lua flags=allow-oom
--[[ index_threads: threads are found by what they are now, whoever changed or deleted them: the release before kept no
  index.

  KEYS  1 threads:indexed  hash
  ARGV  1… thread ids
]]
--- @include "thread_index"
for _, thread in ipairs(ARGV) do
  if redis.call('EXISTS', key('thread', thread)) == 1 then thread_changed(thread)
  else thread_gone(thread) end
end
