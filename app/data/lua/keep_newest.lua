#!lua flags=allow-oom
--[[ keep_newest: of each namespace of a history only the newest checkpoint stays; up to `limit` are removed a call. Where it
  lies in a history that this one stands on, it is moved here, with its values, so that nothing needs that one any more.
  A namespace whose newest one takes values from its ancestors (LangGraph's delta channels) keeps all of them.

  KEYS  1 history  zset  its namespaces
  ARGV  1 and 2 thread   3 pass (nonce of the caller)   4 where to go on: `-` at first   5 limit
  Returns  {where to go on or '', 1 when a namespace keeps all it has}
]]
--- @include "base"
--- @include "history"
--- @include "tuples"
--- @include "undo"
--- @include "named"
local thread, pass, from, room = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local removal = thread .. ':keep_latest'
if not redis.call('ZSCORE', key('removals'), removal) then return { '', 1 } end
redis.call('ZADD', key('removals'), now, removal)
local history = history_of(thread)
local named, levels = named_key(history, thread, pass), levels_of(history)
local blobs = gather(levels)

-- The value is to stay, and to lie in this history.
local function name(digest)
  if digest == '' then return end
  redis.call('SADD', named, digest)
  if #levels == 1 or redis.call('HEXISTS', blobs.keys[1], digest) == 1 then return end
  redis.call('HSET', blobs.keys[1], digest, find_blob(blobs, digest))
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

local function has_deltas(fields)
  return string.find(fields.metadata, 'counters_since_delta_snapshot', 1, true) ~= nil
end

local function move_here(ns, id, fields)
  local checkpoint, index = checkpoint_key(history, ns, id), open_index(history, ns, thread)
  local epoch = layer_of(history).epoch
  redis.call('HSET', checkpoint, 'checkpoint', fields.checkpoint, 'v', fields.v, 'parent', fields.parent,
    'metadata', fields.metadata, 'values', cmsgpack.pack(fields.values), 'author', fields.author)
  if epoch > 0 then redis.call('HSET', checkpoint, 'epoch', epoch) end
  for _, write in ipairs(fields.writes) do
    write[9] = epoch > 0 and epoch or nil
    redis.call('HSETNX', checkpoint, 'w:' .. write[1] .. ':' .. write[3], cmsgpack.pack(write))
  end
  redis.call('ZADD', index, next_place(history, index), id)
end

-- Removes what is older in the history itself. Returns whether more is.
local function remove_older(ns, newest)
  local index = key('checkpoints', history, ns)
  for _, id in ipairs(redis.call('ZRANGE', index, 0, room)) do
    if id ~= newest then
      remove_checkpoint(history, ns, id)
      room = room - 1
    end
  end
  return redis.call('ZCARD', index) > 1
end

local whole = 0
-- Returns whether more is to do in this namespace, of which `at` is a level that has some of it.
local function keep(at, ns)
  local id = newest_of(levels, ns)
  local fields = id and load_checkpoint(levels, ns, id)
  if fields and has_deltas(fields) then
    whole = 1
    return false
  end
  if fields and fields.level > at then return false end
  if at == 1 then
    if remove_older(ns, id) then return true end
  elseif fields and fields.level == at then
    move_here(ns, id, fields)
  end
  if fields then name_all(checkpoint_key(history, ns, id)) end
  return false
end

local function next_namespace(level, after)
  local first = redis.call('ZRANGEBYLEX', key('history', level.history), after, '+', 'LIMIT', 0, 1)[1]
  local gone = level.cut and redis.call('ZRANGEBYLEX', key('gone', level.history), after, '+', 'LIMIT', 0, 1)[1]
  if not first or (gone and gone < first) then return gone end
  return first
end

local level, after = 1, '-'
if from ~= '-' then level, after = string.match(from, '^(%d+)(.*)$') end
level = tonumber(level)
while room > 0 do
  local ns = next_namespace(levels[level], after)
  if ns then
    room = room - 1
    after = (keep(level, ns) and '[' or '(') .. ns
  elseif level < #levels then
    level, after = level + 1, '-'
  else
    redis.call('SADD', named, COMPLETE)
    redis.call('PEXPIRE', named, PASS_MS)
    return { '', whole }
  end
end
redis.call('PEXPIRE', named, PASS_MS)
return { level .. after, whole }
