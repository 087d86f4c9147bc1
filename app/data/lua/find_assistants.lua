#!lua flags=no-writes
--[[ find_assistants: a page of assistants in an order. Without terms it costs the page, however many there are; with terms
  those that have them all are sorted here, at most `most`.

  KEYS  1 any key of the partition
  ARGV  1 order (created_at, updated_at, name, graph_id, assistant_id)   2 `asc` or `desc`   3 offset   4 limit
        5 most   6 graph, '' for all   7… terms
  Returns  {how many there are, {id, fields} each}; {how many} alone where they are more than `most`
]]
--- @include "keys"
--- @include "assistants"
local order, direction, graph = ARGV[1], ARGV[2], ARGV[6]
local offset, limit, most = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local ids, total = {}, 0

if #ARGV == 6 then
  local zset = graph == '' and key('assistants', order) or key('assistants', order, graph)
  total = redis.call('ZCARD', zset)
  if total > most then return { total } end
  if limit > 0 then
    local range = direction == 'asc' and 'ZRANGE' or 'ZREVRANGE'
    for _, member in ipairs(redis.call(range, zset, offset, offset + limit - 1)) do ids[#ids + 1] = string.sub(member, -36) end
  end
else
  local sets = {}
  for at = 7, #ARGV do sets[#sets + 1] = key('assistants', 'with', ARGV[at]) end
  local found = redis.call('SINTER', unpack(sets))
  total = #found
  if total > most then return { total } end
  local places = {}
  for at, id in ipairs(found) do
    local value = ''
    if order == 'name' then value = redis.call('HGET', key('assistant', id), 'name')
    elseif order == 'graph_id' then value = redis.call('HGET', key('assistant', id), 'graph')
    elseif order ~= 'assistant_id' then value = tonumber(redis.call('HGET', key('assistant', id), order)) end
    places[at] = { value, id }
  end
  table.sort(places, function(a, b)
    if direction == 'desc' then a, b = b, a end
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  for at = offset + 1, math.min(offset + limit, total) do ids[#ids + 1] = places[at][2] end
end

local page = { total }
for _, id in ipairs(ids) do page[#page + 1] = { id, fields(id) } end
return page
