-- The history of a thread has its id, unless an earlier thread of that id left one to its copies, which still read it:
-- see history.lua of `data`.

-- A name that no history has.
local function next_history(thread)
  local number = 1
  while redis.call('EXISTS', key('layer', thread .. '~' .. number)) == 1 do number = number + 1 end
  return thread .. '~' .. number
end

-- Of a thread that is not there (yet).
local function new_history(thread)
  return redis.call('HEXISTS', key('layer', thread), 'orphan') == 1 and next_history(thread) or thread
end

local function history_of(thread)
  local history, exists = unpack(redis.call('HMGET', key('thread', thread), 'history', 'created_at'))
  if history or exists then return history or thread end
  return redis.call('HGET', key('removing', thread), 'history') or new_history(thread)
end
