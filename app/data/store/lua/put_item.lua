#!lua
--[[ put_item: store an item, or replace its value and time to live.

  KEYS  1 store:items:  zset  the partition's items
  ARGV  1 namespace   2 key   3 value (JSON)   4 ttl (ms) or ''
  Holds  I9, I12
]]
--- @include "base"
--- @include "items"
local ns, name, value, ttl = unpack(ARGV)
local id = ns .. '\0\0' .. name
local item = item_key(id)

-- Later than every other write of the partition, also where the clock went back, so that pages have one order.
local time = redis.call('TIME')
local newest = redis.call('ZREVRANGE', all, 0, 0, 'WITHSCORES')
local stamp = math.max(time[1] * 1000000 + time[2], tonumber(newest[2] or 0) + 1)
local written = string.format('%.0f', stamp)

local created = redis.call('HGET', item, 'created_at') or written
redis.call('HSET', item, 'value', value, 'created_at', created, 'updated_at', written, 'ttl', ttl)
if ttl == '' then
  redis.call('PERSIST', item)
  redis.call('ZREM', expiring, id)
else
  redis.call('PEXPIRE', item, ttl)
  redis.call('ZADD', expiring, now + ttl, id)
end

if redis.call('ZADD', all, written, id) == 1 then
  redis.call('HINCRBY', key('store', 'counts'), ns, 1)
  redis.call('ZADD', key('store', 'namespaces'), 0, ns)
end
for _, index in ipairs(indexes_of(ns)) do redis.call('ZADD', index, written, id) end
return 'stored'
