#!lua flags=no-writes
--[[ read_checkpoints: one checkpoint, or a page of a namespace, newest first, with values and pending writes.

  KEYS  1 history  zset  its namespaces
  ARGV  1 thread   2 namespace
        3 checkpoint id, or '' for a page that begins
        4 before this checkpoint id, or with the newest where ''
        5 limit (count)   6 limit (bytes; the first one over it is the last one)
  Returns  {{tuple…}, {digest, bytes of each blob…}, 1 when the page ended before the namespace did}
  A tuple: {id, parent, checkpoint, {type, bytes of the metadata}, {{channel, version, type, digest, bytes}…},
            {{task, path, idx, channel, type, digest, bytes}…}, the parent's writes of tasks (formats before 4)}
]]
--- @include "keys"
--- @include "history"
--- @include "tuples"
local levels, ns, id, before = levels_of(history_of(ARGV[1])), unpack(ARGV, 2, 4)
local limit, bytes_limit = tonumber(ARGV[5]), tonumber(ARGV[6])
local tuples, blobs, bytes = {}, gather(levels), 0

local function take(each, fields)
  local sends = {}
  if tonumber(fields.v) < 4 and fields.parent ~= '' then
    local parent = load_checkpoint(levels, ns, fields.parent)
    if parent then sends = writes_of(parent, blobs, { __pregel_tasks = true }) end
  end
  tuples[#tuples + 1] = {
    each, fields.parent, fields.checkpoint, cmsgpack.unpack(fields.metadata),
    values_of(fields, blobs), writes_of(fields, blobs), sends,
  }
  bytes = bytes + #fields.checkpoint + #fields.metadata
end

if id ~= '' then
  local fields = load_checkpoint(levels, ns, id)
  if fields then take(id, fields) end
  return { tuples, blobs.list, 0 }
end

-- The level and the place that a page must stay below. `before` may be of another namespace (a subgraph is replayed up to a
-- checkpoint of its parent graph): then ids, which begin with the time, decide.
local function start()
  if before == '' then return 1, nil end
  for at, level in ipairs(levels) do
    local place = place_on(level, ns, before)
    if place then return at, place end
  end
  for at, level in ipairs(levels) do
    local other, place = next_below(level, ns)
    while other do
      if other < before then return at, place + 1 end
      other, place = next_below(level, ns, place)
    end
  end
end

local first, below = start()
for at = first or #levels + 1, #levels do
  local each, place = next_below(levels[at], ns, below)
  while each do
    if #tuples == limit or bytes + blobs.bytes > bytes_limit then return { tuples, blobs.list, 1 } end
    local fields = load_checkpoint(levels, ns, each)
    -- Else one on a higher level is told already: what is kept of a copy alone is moved there, one after the other.
    if fields and fields.level == at then take(each, fields) end
    each, place = next_below(levels[at], ns, place)
  end
  below = nil
end
return { tuples, blobs.list, 0 }
