#!lua
--[[ prune_now: a thread is to keep its newest checkpoints alone, because a client asks for it.

  KEYS  1 thread
  ARGV  1 thread id
  Returns  'removing' (its older checkpoints are to go, also where they are already going) | 'missing'
           | 'busy' (a run is open, or something else of it is being removed)
]]
--- @include "base"
--- @include "removal"
local thread = ARGV[1]
local lifetime, active, open = unpack(redis.call('HMGET', KEYS[1], 'lifetime', 'active', 'open'))
if not lifetime then return 'missing' end
if active == 'keep_latest' then return 'removing' end
if lifetime == 'delete' or active ~= '' or tonumber(open) > 0 then return 'busy' end
begin_removal(thread, 'keep_latest')
redis.call('HSET', KEYS[1], 'pruned_at', now)
return 'removing'
