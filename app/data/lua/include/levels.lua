--[[ Reading a history together with those that it stands on; history.lua says what a reader sees of them. A level is a
  history and its `cut`, nil for the first one: that of the thread itself, of which all that is there is seen. ]]
local function levels_of(history)
  local levels = { { history = history } }
  while true do
    local base, cut, closed = unpack(redis.call('HMGET', key('layer', history), 'base', 'cut', 'closed'))
    local seen_until = levels[#levels].cut or math.huge
    if not base or (closed and tonumber(closed) <= seen_until) then return levels end
    levels[#levels + 1] = { history = base, cut = tonumber(cut) }
    history = base
  end
end

local function text_of(place)
  return string.format('%.0f', place)
end

local GONE_AT_ONCE = 100

-- Of what went from a history the newest below a place that is still seen: id and place, or nil.
local function next_gone(level, ns, below)
  local gone = key('gone', level.history, ns)
  for first = 0, math.huge, GONE_AT_ONCE do
    local members = redis.call('ZREVRANGEBYSCORE', gone, below, '(0', 'WITHSCORES', 'LIMIT', first, GONE_AT_ONCE)
    for at = 1, #members, 2 do
      local epoch, id = string.match(members[at], '^(%d+):(.*)$')
      if tonumber(epoch) > level.cut then return id, tonumber(members[at + 1]) end
    end
    if #members < 2 * GONE_AT_ONCE then return nil end
  end
end

-- The newest checkpoint of a level below a place (nil: of all): id and place, or nil.
local function next_below(level, ns, place)
  local below = place and '(' .. text_of(place) or '+inf'
  if level.cut then
    local last = (level.cut + 1) * EPOCH_PLACES
    if not place or place > last then below = text_of(last) end
  end
  local index = key('checkpoints', level.history, ns)
  local newest = redis.call('ZREVRANGEBYSCORE', index, below, '(0', 'WITHSCORES', 'LIMIT', 0, 1)
  local id, at = newest[1], tonumber(newest[2])
  if level.cut then
    local gone, gone_at = next_gone(level, ns, below)
    if gone and gone_at > (at or 0) then return gone, gone_at end
  end
  return id, at
end

-- The newest checkpoint of a namespace on all levels.
local function newest_of(levels, ns)
  for _, level in ipairs(levels) do
    local id = next_below(level, ns)
    if id then return id end
  end
end

-- Where a checkpoint stands in its namespace on a level, or nil where it is not seen there.
local function place_on(level, ns, id)
  local place = tonumber(redis.call('ZSCORE', key('checkpoints', level.history, ns), id) or 0)
  if place == 0 and level.cut then
    local epoch = tonumber(redis.call('HGET', checkpoint_key(level.history, ns, id), 'gone') or 0)
    if epoch <= level.cut then return nil end
    place = tonumber(redis.call('ZSCORE', key('gone', level.history, ns), epoch .. ':' .. id) or 0)
  end
  if place == 0 or (level.cut and place > (level.cut + 1) * EPOCH_PLACES) then return nil end
  return place
end

-- One field of a checkpoint that is known to be seen.
local function field_of(levels, ns, id, field)
  for _, level in ipairs(levels) do
    local content = redis.call('HGET', checkpoint_key(level.history, ns, id), field)
    if content then return content end
  end
end

-- What a level has of a checkpoint: its fields, or nil where only writes are there, and the writes by task and idx.
local function load_on(level, ns, id)
  local flat = redis.call('HGETALL', checkpoint_key(level.history, ns, id))
  local cut, fields, writes = level.cut, {}, {}
  local function take(place, packed)
    local write = cmsgpack.unpack(packed)
    if not cut or (write[9] or 0) <= cut then writes[place] = write end
  end
  for at = 1, #flat, 2 do
    local kind, rest = string.match(flat[at], '^([wk]):(.*)$')
    if kind == 'w' then take(rest, flat[at + 1])
    elseif kind == 'k' then
      local epoch, place = string.match(rest, '^(%d+):(.*)$')
      if cut and tonumber(epoch) > cut then take(place, flat[at + 1]) end
    else fields[flat[at]] = flat[at + 1] end
  end
  if not fields.checkpoint then return nil, writes end
  local came, went = tonumber(fields.epoch or 0), tonumber(fields.gone)
  -- Writes may be older than their checkpoint: keep_newest moves one to where only writes beside it were.
  if cut and came > cut then return nil, writes end
  if went and (not cut or went <= cut) then return nil, {} end
  return fields, writes
end

-- The hash of a checkpoint, or nil where none, or only writes, have been stored. Writes on a higher level come first.
local function load_checkpoint(levels, ns, id)
  local writes = {}
  for at, level in ipairs(levels) do
    local fields, beside = load_on(level, ns, id)
    for place, write in pairs(beside) do
      if not writes[place] then writes[place] = write end
    end
    if fields then
      fields.writes, fields.level = {}, at
      for _, write in pairs(writes) do fields.writes[#fields.writes + 1] = write end
      fields.values = cmsgpack.unpack(fields.values)
      return fields
    end
  end
end
