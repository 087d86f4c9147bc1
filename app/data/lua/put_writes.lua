#!lua
--[[ put_writes: a task of a step is done, or interrupted; what it wrote waits beside the checkpoint that it started from.
  The checkpoint itself may still be on its way.

  KEYS  1 history  zset  its namespaces
  ARGV  1 history   2 thread   3 namespace   4 checkpoint   (ids)
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
--- @include "trail"
local history, thread, ns, id, run, owner, attempt, version, task, path = unpack(ARGV, 1, 10)
local refused = refusal(thread, run, owner, version)
if refused then return refused end

local checkpoint = checkpoint_key(history, ns, id)
local index = open_index(history, ns)
redis.call('ZADD', index, 'NX', 0, id)

local at = 12
for _ = 1, tonumber(ARGV[11]) do
  local idx, channel, type, digest, bytes = unpack(ARGV, at, at + 4)
  local place = task .. ':' .. idx
  local write = cmsgpack.pack({ task, path, idx, channel, type, digest, bytes, author_of(run, attempt, owner) })
  if tonumber(idx) >= 0 then
    redis.call('HSETNX', checkpoint, 'w:' .. place, write)
  else
    local earlier = redis.call('HGET', checkpoint, 'w:' .. place)
    if earlier and cmsgpack.unpack(earlier)[8][1] ~= author_of(run, attempt, owner)[1] then
      redis.call('HSET', checkpoint, 'o:' .. place, earlier)
    end
    redis.call('HSET', checkpoint, 'w:' .. place, write)
  end
  at = at + 5
end
store_blobs(history, at)
leave_trail(history, run, ns, id)
return 'stored'
