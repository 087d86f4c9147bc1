#!lua flags=allow-oom
--[[ index_leftovers: up to `limit` threads of the index, by name; those that the release before deleted leave it.

  KEYS  1 threads:thread_id  zset
  ARGV  1 where to go on: `-` at first, then what the last call returned   2 limit
  Returns  where to go on, or '' at the end
]]
--- @include "thread_index"
local from, limit = ARGV[1], tonumber(ARGV[2])
local threads = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, limit)
for _, thread in ipairs(threads) do
  if redis.call('EXISTS', key('thread', thread)) == 0 then thread_gone(thread) end
end
return #threads == limit and '(' .. threads[limit] or ''
