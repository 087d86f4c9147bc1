#!lua flags=no-writes
--[[ measure_history: how many bytes a page of a history's checkpoints takes. What a copy stands on is its source's.

  KEYS  1 history  zset  its namespaces
  ARGV  1 thread   2 where to go on: `0-` at first   3 limit (checkpoints)
  Returns  {where to go on or '',
            number of checkpoints, their bytes without values and writes, {channel, digest or '', bytes, …} of the values,
            {digest or '', bytes, …} of the writes};   a digest is a blob's, whose bytes may be told several times
]]
--- @include "keys"
--- @include "history"
local history, room = history_of(ARGV[1]), tonumber(ARGV[3])
local first, after = string.match(ARGV[2], '^(%d+)(.*)$')
first = tonumber(first)
local count, bytes, values, writes = 0, 0, {}, {}

local function bytes_of(digest, inline)
  return digest == '' and #inline or redis.call('HSTRLEN', key('blobs', history), digest)
end

local function measure(checkpoint)
  local flat = redis.call('HGETALL', checkpoint)
  for at = 1, #flat, 2 do
    local name, content = flat[at], flat[at + 1]
    if name == 'values' then
      for _, value in ipairs(cmsgpack.unpack(content)) do
        for _, part in ipairs({ value[1], value[4], bytes_of(value[4], value[5]) }) do values[#values + 1] = part end
      end
    elseif string.find(name, '^w:') then
      local write = cmsgpack.unpack(content)
      for _, part in ipairs({ write[6], bytes_of(write[6], write[7]) }) do writes[#writes + 1] = part end
    else
      if name == 'checkpoint' then count = count + 1 end
      bytes = bytes + #content
    end
  end
end

while room > 0 do
  local ns = redis.call('ZRANGEBYLEX', key('history', history), after, '+', 'LIMIT', 0, 1)[1]
  if not ns then return { '', count, bytes, values, writes } end
  local ids = redis.call('ZRANGE', key('checkpoints', history, ns), first, first + room - 1)
  for _, id in ipairs(ids) do measure(checkpoint_key(history, ns, id)) end
  if #ids == room then first, after = first + #ids, '[' .. ns else first, after = 0, '(' .. ns end
  room = room - math.max(#ids, 1)
end
return { first .. after, count, bytes, values, writes }
