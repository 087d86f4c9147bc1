-- Reading checkpoints whole. Blobs are gathered on the way and returned once each, however many cells name them.
--- @include "levels"
local function gather(levels)
  local keys = {}
  for at, level in ipairs(levels) do keys[at] = key('blobs', level.history) end
  return { keys = keys, seen = {}, list = {}, bytes = 0 }
end

-- A value lies in the history that first stored it, mostly beside the one that was looked for before.
local function find_blob(blobs, digest)
  local bytes = redis.call('HGET', blobs.keys[blobs.found or 1], digest)
  if bytes then return bytes end
  for at, stored in ipairs(blobs.keys) do
    bytes = redis.call('HGET', stored, digest)
    if bytes then
      blobs.found = at
      return bytes
    end
  end
  error('a blob that a checkpoint names is missing')
end

local function add_cell(blobs, digest)
  if digest == '' or blobs.seen[digest] then return end
  local bytes = find_blob(blobs, digest)
  blobs.seen[digest] = true
  blobs.list[#blobs.list + 1] = digest
  blobs.list[#blobs.list + 1] = bytes
  blobs.bytes = blobs.bytes + #bytes
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
