#!lua flags=allow-oom
--[[ drop_writes: undo what a run wrote of some channels beside a checkpoint that it did not store itself. What its
  writes had replaced comes back: the answer a human gave to an earlier interrupt of the same node is not lost.

  KEYS  1 history  zset  its namespaces
  ARGV  1 history   2 thread   3 namespace   4 checkpoint   5 run   6 owner
        7… channels
  Returns  the number of writes undone | 'fenced'
  Holds  I3
]]
--- @include "base"
--- @include "fence"
--- @include "history"
local history, thread, ns, id, run, owner = unpack(ARGV, 1, 6)
if fenced(thread, run, owner) then return 'fenced' end

local channels = {}
for at = 7, #ARGV do channels[ARGV[at]] = true end

local checkpoint = checkpoint_key(history, ns, id)
local author = redis.call('HGET', checkpoint, 'author')
if author and cmsgpack.unpack(author)[1] == run then return 0 end

local undone = 0
local flat = redis.call('HGETALL', checkpoint)
for at = 1, #flat, 2 do
  local place = string.match(flat[at], '^w:(.*)$')
  local write = place and cmsgpack.unpack(flat[at + 1])
  if write and write[8][1] == run and channels[write[4]] then
    local replaced = redis.call('HGET', checkpoint, 'o:' .. place)
    if replaced then redis.call('HSET', checkpoint, 'w:' .. place, replaced)
    else redis.call('HDEL', checkpoint, 'w:' .. place) end
    redis.call('HDEL', checkpoint, 'o:' .. place)
    undone = undone + 1
  end
end
return undone
