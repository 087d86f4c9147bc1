--[[ Store items: what graphs and clients remember across threads. An item lies in the partition of its namespace's first
  label.

  store:item:<id>         hash  value (JSON), created_at, updated_at (µs), ttl (ms, '' for none); Redis expires it
  store:items:<prefix>    zset  id → µs of the last write, of all items below a prefix of their namespace; one for each
                                prefix, the empty one included, so that any search is a range
  store:namespaces        zset  namespaces that hold an item, by name
  store:counts            hash  namespace → its number of items
  store:expiring          zset  id → ms when it is due, of items with a ttl

  A namespace is its labels with NUL between them: no label holds one, so the namespaces below a prefix are one range. An
  id is the namespace, two NULs, and the item's key. ]]
local all, expiring = key('store', 'items', ''), key('store', 'expiring')

local function item_key(id)
  return key('store', 'item', id)
end

-- The indexes of a namespace: of each of its prefixes but the empty one.
local function indexes_of(ns)
  local indexes, from = {}, 1
  repeat
    local stop = string.find(ns, '\0', from, true)
    indexes[#indexes + 1] = key('store', 'items', string.sub(ns, 1, (stop or 0) - 1))
    from = (stop or 0) + 1
  until not stop
  return indexes
end

local function remove_item(id)
  redis.call('UNLINK', item_key(id))
  redis.call('ZREM', expiring, id)
  if redis.call('ZREM', all, id) == 0 then return end
  local ns = string.sub(id, 1, string.find(id, '\0\0', 1, true) - 1)
  for _, index in ipairs(indexes_of(ns)) do redis.call('ZREM', index, id) end
  if redis.call('HINCRBY', key('store', 'counts'), ns, -1) < 1 then
    redis.call('HDEL', key('store', 'counts'), ns)
    redis.call('ZREM', key('store', 'namespaces'), ns)
  end
end

-- Redis drops an item that is due by itself, but not its places in the indexes. Returns whether more are due.
local function remove_due()
  local at_once = 500
  local due = redis.call('ZRANGEBYSCORE', expiring, '-inf', now, 'LIMIT', 0, at_once)
  for _, id in ipairs(due) do remove_item(id) end
  return #due == at_once
end

-- A read begins the time to live anew.
local function refresh(id, ttl)
  if ttl == '' then return end
  redis.call('PEXPIRE', item_key(id), ttl)
  redis.call('ZADD', expiring, 'XX', now + ttl, id)
end
