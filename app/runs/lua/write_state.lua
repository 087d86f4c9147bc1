#!lua
--[[ write_state: the last step of a state update. Its checkpoints were stored in the same transaction, under the same
  condition; now the thread shows what they tell, and those who follow it are told.

  KEYS  1 thread
  ARGV  1 thread id   2 version of the thread when its state was read
        3 nonce of the update: sent twice, because its connection went, it gets the same answer
        4 values  5 interrupts (JSON)  6 status: `idle` or `interrupted`
  Returns  'stored' | 'thread_busy' | 'thread_changed' | 'thread_missing'
  Holds  I12
]]
--- @include "base"
--- @include "thread"
--- @include "thread_version"
--- @include "settle"
--- @include "order"
local thread, version, call, values, interrupts, status = unpack(ARGV)
if redis.call('HGET', KEYS[1], 'updated_by') == call then return 'stored' end
local refused = changed_since(thread, version)
if refused then return refused end
redis.call('HSET', KEYS[1], 'values', values, 'interrupts', interrupts, 'settled', status, 'state_updated_at', now,
  'updated_by', call)
redis.call('HINCRBY', KEYS[1], 'changes', 1)
redis.call('HDEL', KEYS[1], 'stale')
settle_status(KEYS[1])
expire_later(KEYS[1], thread)
tell_state(thread)
return 'stored'
