--- @include "thread_index"
-- What a thread is: busy while a run is open or something of it is being removed, else as its last run left it.
local function settle_status(thread_key)
  local open, active, settled = unpack(redis.call('HMGET', thread_key, 'open', 'active', 'settled'))
  local status = (tonumber(open) > 0 or active ~= '') and 'busy' or settled
  redis.call('HSET', thread_key, 'status', status, 'updated_at', now)
  thread_changed(string.match(thread_key, ':thread:(.*)$'))
end
