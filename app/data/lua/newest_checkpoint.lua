#!lua flags=no-writes
--[[ newest_checkpoint: who stored the newest checkpoint of a namespace, and who wrote beside it.

  KEYS  1 history  zset  its namespaces
  ARGV  1 thread   2 namespace
  Returns  {} where there is none | {id, {run, attempt, owner}, {task, channel, {run, attempt, owner}} of each write…},
           an author being {} where no attempt of a run wrote
]]
--- @include "keys"
--- @include "history"
--- @include "tuples"
local levels, ns = levels_of(history_of(ARGV[1])), ARGV[2]
local id = newest_of(levels, ns)
if not id then return {} end

local fields = load_checkpoint(levels, ns, id)
local answer = { id, cmsgpack.unpack(fields.author) }
for _, write in ipairs(fields.writes) do
  answer[#answer + 1] = { write[1], write[4], write[8] }
end
return answer
