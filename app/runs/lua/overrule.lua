#!lua flags=allow-oom
--[[ overrule: end a cancelled run whose owner did not within the grace.          leased ──▶ terminal

  KEYS  1 run
  ARGV  1 run id
  Returns  'ended' | 'not_needed'
  Holds  I7
]]
--- @include "base"
--- @include "events"
--- @include "queue"
--- @include "end_run"
--- @include "cancelled"
local status, cancel = unpack(redis.call('HMGET', KEYS[1], 'status', 'cancel'))
if status ~= 'running' or cancel == '' then return 'not_needed' end
end_cancelled(ARGV[1])
return 'ended'
