-- Taking back what a run stored.
local function author_run(checkpoint)
  local author = redis.call('HGET', checkpoint, 'author')
  return author and cmsgpack.unpack(author)[1]
end

local function close_index(history, ns)
  if redis.call('EXISTS', key('checkpoints', history, ns)) == 0 then redis.call('ZREM', key('history', history), ns) end
end

local function remove_checkpoint(history, ns, id)
  redis.call('UNLINK', checkpoint_key(history, ns, id))
  redis.call('ZREM', key('checkpoints', history, ns), id)
  close_index(history, ns)
end

-- The run's writes beside a checkpoint go, and what they had replaced comes back. `every`: also what its tasks had
-- finished, else only those in LangGraph's own channels. Returns their number.
local function undo_writes(checkpoint, run, every)
  local undone = 0
  local flat = redis.call('HGETALL', checkpoint)
  for at = 1, #flat, 2 do
    local place = string.match(flat[at], '^w:(.*)$')
    local write = place and cmsgpack.unpack(flat[at + 1])
    if write and write[8][1] == run and (every or tonumber(write[3]) < 0) then
      local replaced = redis.call('HGET', checkpoint, 'o:' .. place)
      if replaced then redis.call('HSET', checkpoint, 'w:' .. place, replaced)
      else redis.call('HDEL', checkpoint, 'w:' .. place) end
      redis.call('HDEL', checkpoint, 'o:' .. place)
      undone = undone + 1
    end
  end
  return undone
end
