#!lua flags=allow-oom
--[[ clear_unread: the last reader of a history has gone; up to `limit` checkpoints a call go that were there for it. Where
  the history's own thread has gone too, all of it goes, and what it stood on may lose its last reader in turn.
  Where the history is copied again meanwhile there is nothing to do: what had gone before is not seen by the new copy,
  and is cleared when that goes.

  KEYS  1 unread  zset
  ARGV  1 history   2 limit (checkpoints)
  Returns  1 when there is more to do, else 0, or the history that has lost its last reader by this
  Holds  I9
]]
--- @include "base"
--- @include "history"
--- @include "clear"
local history, room = ARGV[1], tonumber(ARGV[2])
if not redis.call('ZSCORE', KEYS[1], history) then return 0 end
if layer_of(history).is_read then
  redis.call('ZREM', KEYS[1], history)
  return 0
end
redis.call('ZADD', KEYS[1], now, history)

local orphan, closed = unpack(redis.call('HMGET', key('layer', history), 'orphan', 'closed'))
if orphan then room = clear_stored(history, room) end
if clear_gone(history, room) == 0 then return 1 end
redis.call('ZREM', KEYS[1], history)
local base = orphan and clear_rest(history) or closed and leave_base(history) or ''
return base == '' and 0 or base
