--[[ The order of runs.       delayed ──▶ waiting ──▶ ready ──▶ leased
  delayed  zset            due in the future, by due time
  waiting  zset a thread   due, behind the thread's active run; by due time, then place (order of acceptance)
  ready    zset a graph    claimable: the active run of its thread; by due time
  wake     list a graph    one token a ready run, up to a bound: what idle workers block on
  A claim never meets a run that it must skip, because only the head of a thread is ever ready. ]]
local TOKENS = 64

local function make_ready(run, graph, due)
  redis.call('ZADD', key('ready', graph), due, run)
  redis.call('SADD', key('graphs'), graph)
  local tokens = key('wake', graph)
  if redis.call('LLEN', tokens) < TOKENS then redis.call('RPUSH', tokens, '1') end
end

-- Tokens and ready runs agree again: none for none, at least one for some (a worker may have died with a token).
local function settle_tokens(graph)
  local tokens = key('wake', graph)
  if redis.call('ZCARD', key('ready', graph)) == 0 then
    redis.call('DEL', tokens)
    redis.call('SREM', key('graphs'), graph)
  elseif redis.call('LLEN', tokens) == 0 then
    redis.call('RPUSH', tokens, '1')
  end
end

-- A run that is due takes the thread, or queues behind the one that has it.
local function line_up(thread, run, graph, due, place)
  local thread_key = key('thread', thread)
  if redis.call('HGET', thread_key, 'active') == '' then
    redis.call('HSET', thread_key, 'active', run)
    make_ready(run, graph, due)
  else
    redis.call('ZADD', key('waiting', thread), due, place .. ':' .. run)
  end
end

-- Delayed runs whose time has come line up. Returns in how many ms the next one is due, or -1.
local function promote_due()
  local delayed = key('delayed')
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 100)
  local entries = {}
  for index = 1, #due, 2 do
    entries[#entries + 1] = { due[index], due[index + 1],
      unpack(redis.call('HMGET', key('run', due[index]), 'thread_id', 'graph_id', 'place')) }
  end
  -- Of runs due in the same moment Redis names the lowest id first; the one accepted first is to be.
  table.sort(entries, function(a, b)
    if a[2] ~= b[2] then return tonumber(a[2]) < tonumber(b[2]) end
    return a[5] < b[5]
  end)
  for _, entry in ipairs(entries) do
    local run, at, thread, graph, place = unpack(entry)
    redis.call('ZREM', delayed, run)
    line_up(thread, run, graph, at, place)
  end
  local following = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  return following[2] and math.max(0, tonumber(following[2]) - now) or -1
end

-- The thread's active run has left: the first waiting one takes the thread.
local function promote_next(thread)
  promote_due()
  local thread_key = key('thread', thread)
  local first = redis.call('ZPOPMIN', key('waiting', thread))
  if not first[1] then return redis.call('HSET', thread_key, 'active', '') end
  local run = string.match(first[1], ':(.*)$')
  redis.call('HSET', thread_key, 'active', run)
  make_ready(run, redis.call('HGET', key('run', run), 'graph_id'), first[2])
end

-- A run leaves the queue that it is in, whichever that is.
local function leave_queues(run, thread, graph, place)
  redis.call('ZREM', key('leases'), run)
  redis.call('ZREM', key('cancels'), run)
  redis.call('ZREM', key('delayed'), run)
  redis.call('ZREM', key('ready', graph), run)
  redis.call('ZREM', key('waiting', thread), place .. ':' .. run)
end
