-- Taking back what a run stored. Others who read the history still see it.
local function author_run(checkpoint)
  local author = redis.call('HGET', checkpoint, 'author')
  return author and cmsgpack.unpack(author)[1]
end

local function close_index(history, ns)
  if redis.call('EXISTS', key('checkpoints', history, ns)) == 0 then redis.call('ZREM', key('history', history), ns) end
end

-- Writes beside a checkpoint that lies in another history, or has not come.
local function retire_writes(history, checkpoint)
  local flat = redis.call('HGETALL', checkpoint)
  for at = 1, #flat, 2 do
    local place = string.match(flat[at], '^w:(.*)$')
    if place then retire_write(history, checkpoint, place, flat[at + 1]) end
  end
end

local function remove_checkpoint(history, ns, id)
  local checkpoint, index = checkpoint_key(history, ns, id), key('checkpoints', history, ns)
  local layer = layer_of(history)
  local has_come = redis.call('HEXISTS', checkpoint, 'checkpoint') == 1
  if layer.is_read and tonumber(redis.call('HGET', checkpoint, 'epoch') or 0) < layer.epoch then
    if has_come then redis.call('HSET', checkpoint, 'gone', layer.epoch) else retire_writes(history, checkpoint) end
    redis.call('ZADD', key('gone', history), 0, ns)
    redis.call('ZADD', key('gone', history, ns), redis.call('ZSCORE', index, id) or 0, layer.epoch .. ':' .. id)
  else
    redis.call('UNLINK', checkpoint)
  end
  redis.call('ZREM', index, id)
  close_index(history, ns)
end

-- What a write had replaced comes back, and is seen from this epoch on.
local function restore_write(history, checkpoint, place, packed)
  local epoch = layer_of(history).epoch
  if epoch > 0 then
    local write = cmsgpack.unpack(packed)
    write[9] = epoch
    packed = cmsgpack.pack(write)
  end
  redis.call('HSET', checkpoint, 'w:' .. place, packed)
end

-- The run's writes beside a checkpoint go, and what they had replaced comes back. `every`: also what its tasks had
-- finished, else only those in LangGraph's own channels. Returns their number.
local function undo_writes(history, ns, id, run, every)
  local checkpoint, undone = checkpoint_key(history, ns, id), 0
  local flat = redis.call('HGETALL', checkpoint)
  for at = 1, #flat, 2 do
    local place = string.match(flat[at], '^w:(.*)$')
    local write = place and cmsgpack.unpack(flat[at + 1])
    if write and write[8][1] == run and (every or tonumber(write[3]) < 0) then
      local replaced = redis.call('HGET', checkpoint, 'o:' .. place)
      retire_write(history, checkpoint, place, flat[at + 1])
      if replaced then restore_write(history, checkpoint, place, replaced) end
      redis.call('HDEL', checkpoint, 'o:' .. place)
      undone = undone + 1
    end
  end
  return undone
end
