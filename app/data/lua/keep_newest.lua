#!lua flags=allow-oom
--[[ keep_newest: of each namespace of a history only the newest checkpoint stays; up to `limit` are removed a call.
  A namespace whose newest one takes values from its ancestors (LangGraph's delta channels) keeps all of them.

  KEYS  1 history  zset  its namespaces
  ARGV  1 history   2 thread   3 pass (nonce of the caller)   4 namespace to go on with: `-` at first   5 limit
  Returns  {namespace to go on with or '', 1 when a namespace keeps all it has}
]]
--- @include "base"
--- @include "history"
--- @include "undo"
--- @include "named"
local history, thread, pass, from, room = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local removal = thread .. ':keep_latest'
if not redis.call('ZSCORE', key('removals'), removal) then return { '', 1 } end
redis.call('ZADD', key('removals'), now, removal)
local named = named_key(history, thread, pass)

local function name(digest)
  if digest ~= '' then redis.call('SADD', named, digest) end
end

local function name_all(checkpoint)
  local flat = redis.call('HGETALL', checkpoint)
  for at = 1, #flat, 2 do
    if flat[at] == 'values' then
      for _, value in ipairs(cmsgpack.unpack(flat[at + 1])) do name(value[4]) end
    elseif string.find(flat[at], '^[wo]:') then
      name(cmsgpack.unpack(flat[at + 1])[6])
    end
  end
end

local function has_deltas(checkpoint)
  return string.find(redis.call('HGET', checkpoint, 'metadata'), 'counters_since_delta_snapshot', 1, true) ~= nil
end

local whole = 0
while room > 0 do
  local ns = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, 1)[1]
  if not ns then
    redis.call('SADD', named, COMPLETE)
    from = ''
    break
  end
  room = room - 1
  from = '(' .. ns
  local newest = newest_id(history, ns)
  if newest and has_deltas(checkpoint_key(history, ns, newest)) then
    whole = 1
  else
    local older = redis.call('ZRANGE', key('checkpoints', history, ns), 0, room)
    for _, id in ipairs(older) do
      if id ~= newest then
        remove_checkpoint(history, ns, id)
        room = room - 1
      end
    end
    if redis.call('ZCARD', key('checkpoints', history, ns)) > 1 then from = '[' .. ns
    elseif newest then name_all(checkpoint_key(history, ns, newest)) end
  end
end
redis.call('PEXPIRE', named, PASS_MS)
return { from, whole }
