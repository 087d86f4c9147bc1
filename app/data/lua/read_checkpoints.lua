#!lua flags=no-writes
--[[ read_checkpoints: one checkpoint, or a page of a namespace, newest first, with values and pending writes.

  KEYS  1 history  zset  its namespaces
  ARGV  1 history   2 namespace
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
local history, ns, id, before = unpack(ARGV, 1, 4)
local limit, bytes_limit = tonumber(ARGV[5]), tonumber(ARGV[6])
local index = key('checkpoints', history, ns)

-- The place that a page must stay below. `before` may be of another namespace (a subgraph is replayed up to a
-- checkpoint of its parent graph): then ids, which begin with the time, decide.
local function place_of(checkpoint)
  local place = tonumber(redis.call('ZSCORE', index, checkpoint) or 0)
  if place > 0 then return place end
  for rank = 0, math.huge, 100 do
    local ids = redis.call('ZREVRANGE', index, rank, rank + 99, 'WITHSCORES')
    if #ids == 0 then return 0 end
    for at = 1, #ids, 2 do
      if ids[at] < checkpoint then return tonumber(ids[at + 1]) + 1 end
    end
  end
end

local ids = { id }
if id == '' then
  local below = before == '' and '+inf' or '(' .. place_of(before)
  ids = redis.call('ZREVRANGEBYSCORE', index, below, '(0', 'LIMIT', 0, limit + 1)
end

local tuples, blobs, bytes = {}, gather(history), 0
for _, each in ipairs(ids) do
  if #tuples == limit or bytes + blobs.bytes > bytes_limit then return { tuples, blobs.list, 1 } end
  local fields = load_checkpoint(history, ns, each)
  if fields then
    local sends = {}
    if tonumber(fields.v) < 4 and fields.parent ~= '' then
      local parent = load_checkpoint(history, ns, fields.parent)
      if parent then sends = writes_of(parent, blobs, { __pregel_tasks = true }) end
    end
    tuples[#tuples + 1] = {
      each, fields.parent, fields.checkpoint, cmsgpack.unpack(fields.metadata),
      values_of(fields, blobs), writes_of(fields, blobs), sends,
    }
    bytes = bytes + #fields.checkpoint + #fields.metadata
  end
end
return { tuples, blobs.list, 0 }
