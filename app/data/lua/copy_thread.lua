#!lua
--[[ copy_thread: a thread with the state, the history and the metadata of another one, at the same cost whatever their size.
  The copy stands on the source's history as it is now (see include/history.lua); what the source does from here on it does
  not see. Runs are not copied. Of a source whose run has begun the copy's state is that of the newest checkpoint: it is
  read when the copy is asked for (`stale`).

  KEYS  1 thread  hash of the source
  ARGV  1 source   2 id of the copy, of the same partition   3 nonce of the call: sent twice, it copies once
        4 how many histories may lie below one
  Returns  'copied' | 'missing' | 'taken' (a thread has the copy's id) | 'too_deep'
           | 'removing <what>' (something of the source is being removed: finish that first)
  Holds  I12
]]
--- @include "base"
--- @include "thread"
--- @include "settle"
--- @include "removal"
--- @include "history"
local source, copy, call, deepest = unpack(ARGV)
local copy_key = key('thread', copy)
if redis.call('EXISTS', copy_key) == 1 then
  return redis.call('HGET', copy_key, 'created_by') == call and 'copied' or 'taken'
end
if is_deleting(copy) then return 'taken' end
local lifetime, metadata, active, settled, stale =
  unpack(redis.call('HMGET', KEYS[1], 'lifetime', 'metadata', 'active', 'settled', 'stale'))
-- The thread of a stateless run goes with it, and keeps no state.
if not lifetime or lifetime == 'delete' then return 'missing' end
if active ~= '' and redis.call('ZSCORE', key('removals'), source .. ':' .. active) then return 'removing ' .. active end

-- A history that has nothing of its own adds no level.
local history = history_of(source)
local base, cut, depth, closed = unpack(redis.call('HMGET', key('layer', history), 'base', 'cut', 'depth', 'closed'))
depth = tonumber(depth) or 0
local copies_own = redis.call('EXISTS', key('history', history)) == 1
if copies_own then
  base, cut, depth = history, layer_of(history).epoch, depth + 1
elseif closed then
  base = nil
end
if base and depth > tonumber(deepest) then return 'too_deep' end

create_thread(copy_key, metadata, 'thread')
redis.call('HSET', copy_key, 'created_by', call)
for _, field in ipairs({ 'config', 'values', 'interrupts', 'state_updated_at', 'graph_id', 'assistant_id', 'ttl', 'ttl_strategy' }) do
  local value = redis.call('HGET', KEYS[1], field)
  if value then redis.call('HSET', copy_key, field, value) end
end
-- As after a run: the first one on the copy is not the first of this graph.
if redis.call('HEXISTS', copy_key, 'graph_id') == 1 then redis.call('HSET', copy_key, 'accepted', 1) end
local has_begun = active ~= '' and tonumber(redis.call('HGET', key('run', active), 'attempt') or 0) > 0
if has_begun then settled, stale = 'idle', '1' end
redis.call('HSET', copy_key, 'settled', settled)
if stale then redis.call('HSET', copy_key, 'stale', stale) end
settle_status(copy_key)
expire_later(copy_key, copy)

if base then
  if copies_own then redis.call('HSET', key('layer', base), 'epoch', cut + 1) end
  redis.call('HINCRBY', key('layer', base), 'readers', 1)
  redis.call('HSET', key('layer', copy), 'base', base, 'cut', cut, 'depth', depth)
  redis.call('ZADD', key('histories'), 0, copy)
end
return 'copied'
