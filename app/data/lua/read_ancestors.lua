#!lua flags=no-writes
--[[ read_ancestors: what the ancestors of a checkpoint hold of some channels, nearest first, each channel up to the first
  ancestor that has a value of it.

  KEYS  1 history  zset  its namespaces
  ARGV  1 thread   2 namespace   3 checkpoint whose ancestors they are, or '' for the newest
        4 ancestor to begin with, or '' for the parent   5 limit (ancestors)   6 limit (bytes of blobs)
        7… channels
  Returns  {ancestor to go on with or '', {digest, bytes of each blob…}, {{values…}, {writes…}} of each ancestor…}
           with values and writes as read_checkpoints gives them
]]
--- @include "keys"
--- @include "history"
--- @include "tuples"
local levels, ns, id, ancestor = levels_of(history_of(ARGV[1])), unpack(ARGV, 2, 4)
local limit, bytes_limit = tonumber(ARGV[5]), tonumber(ARGV[6])
local wanted = {}
for at = 7, #ARGV do wanted[ARGV[at]] = true end

if ancestor == '' then
  if id == '' then id = newest_of(levels, ns) end
  ancestor = id and field_of(levels, ns, id, 'parent') or ''
end

local blobs = gather(levels)
local answer = { '', blobs.list }
while ancestor ~= '' and next(wanted) do
  if #answer - 2 == limit or blobs.bytes > bytes_limit then
    answer[1] = ancestor
    break
  end
  local fields = load_checkpoint(levels, ns, ancestor)
  if not fields then break end
  local values = values_of(fields, blobs, wanted)
  answer[#answer + 1] = { values, writes_of(fields, blobs, wanted) }
  for _, value in ipairs(values) do wanted[value[1]] = nil end
  ancestor = fields.parent
end
return answer
