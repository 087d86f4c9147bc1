#!lua flags=allow-oom
--[[ remove_due: drop the items that are due from the indexes, a bounded number.

  KEYS  1 store:items:  zset  the partition's items
  Returns  'due' where more are due, else 'none'
  Holds  I9
]]
--- @include "base"
--- @include "items"
return remove_due() and 'due' or 'none'
