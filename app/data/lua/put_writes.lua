#!lua
--[[ put_writes: a task of a step is done, or interrupted; what it wrote waits beside the checkpoint that it started from.
  The checkpoint itself may still be on its way.

  KEYS  1 history  zset  its namespaces
  ARGV  1 and 2 thread   3 namespace   4 checkpoint   (ids)
        5 run, 6 owner, 7 attempt that writes, or '' each   8 version of the thread, or ''
        9 task id   10 task path   11 number of writes
       12… idx, channel, type, digest, bytes of each write
         … digest, bytes of each blob
  An ordinary write (idx ≥ 0) is stored once: the first stays. One of LangGraph's own channels (idx < 0) replaces the
  earlier one; what another run had written there is kept, so that take_back can put it back.
  Returns  'stored' | 'fenced' | 'thread_busy' | 'thread_changed' | 'thread_missing'
  Holds  I3, I12
]]
--- @include "keys"
--- @include "fence"
--- @include "refusal"
--- @include "history"
--- @include "levels"
--- @include "trail"
local thread, ns, id, run, owner, attempt, version, task, path = unpack(ARGV, 2, 10)
local refused = refusal(thread, run, owner, version)
if refused then return refused end
local history = history_of(thread)

local checkpoint = checkpoint_key(history, ns, id)
local index = open_index(history, ns, thread)
redis.call('ZADD', index, 'NX', 0, id)

-- What the task had written before this history was begun, where it is a copy.
local levels = levels_of(history)
local function is_written_below(place)
  for at = 2, #levels do
    local fields, writes = load_on(levels[at], ns, id)
    if writes[place] then return true end
    if fields then return false end
  end
  return false
end

local epoch = layer_of(history).epoch
local author = author_of(run, attempt, owner)

local at = 12
for _ = 1, tonumber(ARGV[11]) do
  local idx, channel, type, digest, bytes = unpack(ARGV, at, at + 4)
  local place = task .. ':' .. idx
  local write = cmsgpack.pack({ task, path, idx, channel, type, digest, bytes, author, epoch > 0 and epoch or nil })
  if tonumber(idx) >= 0 then
    if not is_written_below(place) then redis.call('HSETNX', checkpoint, 'w:' .. place, write) end
  else
    local earlier = redis.call('HGET', checkpoint, 'w:' .. place)
    if earlier and cmsgpack.unpack(earlier)[8][1] ~= author[1] then
      redis.call('HSET', checkpoint, 'o:' .. place, earlier)
    end
    if earlier then retire_write(history, checkpoint, place, earlier) end
    redis.call('HSET', checkpoint, 'w:' .. place, write)
  end
  at = at + 5
end
store_blobs(history, at)
leave_trail(history, run, ns, id)
return 'stored'
