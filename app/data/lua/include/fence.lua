-- The fence: only the run that is its thread's active one, by the owner that the latest claim named, may write.
-- A number would not fence (an asynchronous failover can hand out the same one twice), so owners are random nonces.
local function fenced(thread, run, owner)
  if redis.call('HGET', key('thread', thread), 'active') ~= run then return true end
  local held = redis.call('HMGET', key('run', run), 'owner', 'status')
  return held[1] ~= owner or held[2] ~= 'running'
end
