-- Whether a thread is to expire now: it has no open run, nothing of it is being removed, and its last activity is longer
-- ago than its ttl. Else the next sweep that should look at it is put down.
local function expired(thread_key, thread, strategy)
  local ttl, held, active, open, updated =
    unpack(redis.call('HMGET', thread_key, 'ttl', 'ttl_strategy', 'active', 'open', 'updated_at'))
  if not ttl then
    redis.call('ZREM', key('expiring'), thread)
    return false
  end
  local due = updated + ttl
  if tonumber(open) > 0 or active ~= '' then due = now + ttl end
  if due > now then redis.call('ZADD', key('expiring'), due, thread) end
  return due <= now and held == strategy
end
