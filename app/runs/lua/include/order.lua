--[[ What a thread's stream finds its events by, over all runs of the thread.
  order:<thread>   zset    runs that keep events, by the number of their last one; `+inf` from a run's claim to its end, so
                           that it costs two writes a run and none an event
  states:<thread>  stream  numbers of states that no run wrote; what they are is read from the checkpoints
  Both go with the thread, and before it once nothing that they name can be kept any more. ]]
local ORDER_MS = 3600 * 1000
local STATES_MS = 5 * 60 * 1000
local KEPT_STATES = 100

local function order_begin(thread, run)
  local order = key('order', thread)
  redis.call('ZADD', order, '+inf', run)
  redis.call('PERSIST', order)
end

-- number: that of the run's last event
local function order_end(thread, run, number)
  local order = key('order', thread)
  redis.call('ZADD', order, number, run)
  local active = redis.call('HGET', key('thread', thread), 'active')
  if active == run or active == '' then redis.call('PEXPIRE', order, ORDER_MS) end
end

-- A state was written that is no run's: those who follow the thread are told.
local function tell_state(thread)
  local number = redis.call('HINCRBY', key('thread', thread), 'seq', 1)
  local states = key('states', thread)
  redis.call('XADD', states, 'MAXLEN', KEPT_STATES, '*', 'e', 'state_update', 'n', number, 'd', 'null')
  redis.call('PEXPIRE', states, STATES_MS)
  redis.call('SPUBLISH', key('follow', thread), '- - 0-0 0-0\n0-0\n' .. number .. '\nstate_update\nnull')
end
