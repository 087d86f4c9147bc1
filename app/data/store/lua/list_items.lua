#!lua flags=allow-oom
--[[ list_items: ids of the items below a prefix of their namespace, the latest written first.

  KEYS  1 store:items:  zset  the partition's items
  ARGV  1 prefix, '' for all   2 before this time of writing (µs), or '' for the first page
        3 how many to skip (of the first page)   4 limit (count)
  Returns  {id, time of writing, id, time of writing, …} | 'due'  some that are due were removed, but not all: ask again
]]
--- @include "base"
--- @include "items"
if remove_due() then return 'due' end
local prefix, before, skip, limit = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local index = key('store', 'items', prefix)
if before == '' then return redis.call('ZREVRANGE', index, skip, skip + limit - 1, 'WITHSCORES') end
return redis.call('ZREVRANGEBYSCORE', index, '(' .. before, '-inf', 'WITHSCORES', 'LIMIT', 0, limit)
