#!lua
--[[ refresh_thread: a thread's values are again those of its newest checkpoint, after a run ended without telling them.

  KEYS  1 thread
  ARGV  1 number of its latest event when the checkpoint was read: a run that ran since then has told newer ones
        2 values  3 interrupts (JSON)  4 status: `idle` or `interrupted`
  Returns  1 | 0 (nothing to refresh any more)
]]
--- @include "base"
--- @include "thread_index"
local seen, values, interrupts, status = unpack(ARGV)
local stale, seq, active, open, settled = unpack(redis.call('HMGET', KEYS[1], 'stale', 'seq', 'active', 'open', 'settled'))
if not stale or seq ~= seen or active ~= '' then return 0 end
-- A run that failed has said what its thread is.
if settled == 'error' then status = settled end
redis.call('HSET', KEYS[1], 'values', values, 'interrupts', interrupts, 'settled', status, 'state_updated_at', now)
redis.call('HDEL', KEYS[1], 'stale')
if tonumber(open) == 0 then redis.call('HSET', KEYS[1], 'status', status) end
thread_changed(string.match(KEYS[1], ':thread:(.*)$'))
return 1
