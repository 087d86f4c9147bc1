-- The history of a thread has its id, unless an earlier thread of that id left one to its copies, which still read it:
-- see history.lua of `data`.
local function history_of(thread)
  local history, exists = unpack(redis.call('HMGET', key('thread', thread), 'history', 'created_at'))
  return history or not exists and redis.call('HGET', key('removing', thread), 'history') or thread
end

-- A name that no history has.
local function next_history(thread)
  local number = 1
  while redis.call('EXISTS', key('layer', thread .. '~' .. number)) == 1 do number = number + 1 end
  return thread .. '~' .. number
end
