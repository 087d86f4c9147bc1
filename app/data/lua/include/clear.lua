-- Clearing a history, a bounded number of checkpoints a call. Each returns how many more there is room for, 0 being none.
local function clear_stored(history, room)
  while room > 0 do
    local ns = redis.call('ZRANGE', key('history', history), 0, 0)[1]
    if not ns then return room end
    local index = key('checkpoints', history, ns)
    local ids = redis.call('ZRANGE', index, 0, room - 1)
    for _, id in ipairs(ids) do
      redis.call('UNLINK', checkpoint_key(history, ns, id))
      redis.call('ZREM', index, id)
    end
    if redis.call('EXISTS', index) == 0 then redis.call('ZREM', key('history', history), ns) end
    room = room - math.max(#ids, 1)
  end
  return 0
end

-- What went while others read the history. Of a checkpoint that lies elsewhere newer writes may be there: they stay.
local function clear_gone(history, room)
  while room > 0 do
    local ns = redis.call('ZRANGE', key('gone', history), 0, 0)[1]
    if not ns then return room end
    local gone = key('gone', history, ns)
    local members = redis.call('ZRANGE', gone, 0, room - 1)
    for _, member in ipairs(members) do
      local id = string.match(member, ':(.*)$')
      if not redis.call('ZSCORE', key('checkpoints', history, ns), id) then
        redis.call('UNLINK', checkpoint_key(history, ns, id))
      end
      redis.call('ZREM', gone, member)
    end
    if redis.call('EXISTS', gone) == 0 then redis.call('ZREM', key('gone', history), ns) end
    room = room - math.max(#members, 1)
  end
  return 0
end

-- A history stands on its base no more. Returns the base where this was its last reader, for `clear_unread`, or ''.
local function leave_base(history)
  local layer = key('layer', history)
  local base = redis.call('HGET', layer, 'base')
  if not base then return '' end
  redis.call('HDEL', layer, 'base', 'cut', 'depth', 'closed')
  if redis.call('HINCRBY', key('layer', base), 'readers', -1) > 0 then return '' end
  redis.call('ZADD', key('unread'), now, base)
  return base
end

-- The last step, when nothing else is left.
local function clear_rest(history)
  local base = leave_base(history)
  redis.call('UNLINK', key('blobs', history), key('trail', history), key('layer', history))
  return base
end
