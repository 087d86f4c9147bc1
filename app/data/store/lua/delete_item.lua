#!lua flags=allow-oom
--[[ delete_item: remove an item and its places in the indexes, if it is there.

  KEYS  1 store:items:  zset  the partition's items
  ARGV  1 id
]]
--- @include "base"
--- @include "items"
remove_item(ARGV[1])
return 'deleted'
