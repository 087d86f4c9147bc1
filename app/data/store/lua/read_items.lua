#!lua flags=allow-oom
--[[ read_items: items by their ids.

  KEYS  1 store:items:  zset  the partition's items
  ARGV  1 `1`: their times to live begin anew   2 limit (bytes; the first item over it is the last one)
        3… ids
  Returns  {value, created_at, updated_at} of each item up to the limit, or {} where it is gone
]]
--- @include "base"
--- @include "items"
local refreshed, limit = ARGV[1] == '1', tonumber(ARGV[2])
local answer, bytes = {}, 0
for at = 3, #ARGV do
  local value, created, updated, ttl = unpack(redis.call('HMGET', item_key(ARGV[at]), 'value', 'created_at', 'updated_at', 'ttl'))
  answer[#answer + 1] = value and { value, created, updated } or {}
  if value then
    if refreshed then refresh(ARGV[at], ttl) end
    bytes = bytes + #value
    if bytes > limit then break end
  end
end
return answer
