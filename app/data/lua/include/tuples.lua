-- Reading checkpoints whole. Blobs are gathered on the way and returned once each, however many cells name them.
local function gather(history)
  return { key = key('blobs', history), seen = {}, list = {}, bytes = 0 }
end

local function add_cell(blobs, digest)
  if digest == '' or blobs.seen[digest] then return end
  local bytes = redis.call('HGET', blobs.key, digest)
  if not bytes then error('a blob that a checkpoint names is missing') end
  blobs.seen[digest] = true
  blobs.list[#blobs.list + 1] = digest
  blobs.list[#blobs.list + 1] = bytes
  blobs.bytes = blobs.bytes + #bytes
end

-- The hash of a checkpoint, or nil where none, or only writes, have been stored.
local function load_checkpoint(history, ns, id)
  local flat = redis.call('HGETALL', checkpoint_key(history, ns, id))
  local fields, writes = {}, {}
  for at = 1, #flat, 2 do
    if string.sub(flat[at], 1, 2) == 'w:' then writes[#writes + 1] = cmsgpack.unpack(flat[at + 1])
    else fields[flat[at]] = flat[at + 1] end
  end
  if not fields.checkpoint then return nil end
  fields.writes = writes
  fields.values = cmsgpack.unpack(fields.values)
  return fields
end

-- {task, path, idx, channel, type, digest, bytes} of each write; `wanted`: a set of channels, or nil for all.
local function writes_of(fields, blobs, wanted)
  local list = {}
  for _, write in ipairs(fields.writes) do
    if not wanted or wanted[write[4]] then
      add_cell(blobs, write[6])
      list[#list + 1] = { unpack(write, 1, 7) }
    end
  end
  return list
end

-- {channel, version, type, digest, bytes} of each channel that has a value.
local function values_of(fields, blobs, wanted)
  local list = {}
  for _, value in ipairs(fields.values) do
    if not wanted or wanted[value[1]] then
      add_cell(blobs, value[4])
      list[#list + 1] = value
    end
  end
  return list
end
