#!lua flags=allow-oom
--[[ close_base: a copy that keeps its newest checkpoints alone has all of them in its own history, and needs what it stands
  on no more. Its own readers may: then it stays for them.

  KEYS  1 history  zset  its namespaces
  ARGV  1 and 2 thread   3 pass of keep_newest
  Returns  the history that has lost its last reader by this (see clear_unread), or ''
]]
--- @include "base"
--- @include "history"
--- @include "clear"
--- @include "named"
local thread, pass = ARGV[2], ARGV[3]
local history = history_of(thread)
if not redis.call('ZSCORE', key('removals'), thread .. ':keep_latest')
  or redis.call('SISMEMBER', named_key(history, thread, pass), COMPLETE) == 0 then return '' end
local layer = layer_of(history)
if not layer.is_read then return leave_base(history) end
if redis.call('HEXISTS', key('layer', history), 'base') == 1 then
  redis.call('HSETNX', key('layer', history), 'closed', layer.epoch)
end
return ''
