#!lua
--[[ delete_assistant: an assistant with all its versions.

  KEYS  1 assistant  hash
  ARGV  1 id
  Returns  1 when it was there, else 0
]]
--- @include "keys"
--- @include "assistants"
local id = ARGV[1]
if redis.call('HEXISTS', KEYS[1], 'revision') == 0 then return 0 end
unindex(id)
redis.call('UNLINK', KEYS[1], key('assistant_versions', id))
return 1
