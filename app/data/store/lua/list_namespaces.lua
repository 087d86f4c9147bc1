#!lua flags=allow-oom
--[[ list_namespaces: namespaces that hold items, below a prefix, by name; cut to a depth, each is there once.

  KEYS  1 store:items:  zset  the partition's items
  ARGV  1 prefix, '' for all   2 after this answer, or '' for the first page   3 depth (labels), 0 for whole ones
        4 limit (count)
  Returns  {namespace…} | 'due'  some items that are due were removed, but not all: ask again
]]
--- @include "base"
--- @include "items"
if remove_due() then return 'due' end
local prefix, after, depth, limit = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local namespaces = key('store', 'namespaces')

-- Where labels end: the first `count` of a namespace, and whether it has as many.
local function cut(ns, count)
  local from = 1
  for label = 1, count do
    local stop = string.find(ns, '\0', from, true)
    if not stop then return ns, label == count end
    if label == count then return string.sub(ns, 1, stop - 1), true end
    from = stop + 1
  end
end

-- UTF-8 has no byte 255, so it stands behind everything below a namespace.
local function below(ns)
  return ns .. '\0\255'
end

-- What comes after an answer: behind the whole subtree that it stands for.
local function behind(ns)
  local _, whole = cut(ns, depth)
  return '(' .. (whole and below(ns) or ns)
end

local from = prefix == '' and '-' or '[' .. prefix
if after ~= '' then from = depth > 0 and behind(after) or '(' .. after end
local to = prefix == '' and '+' or '[' .. below(prefix)
if depth == 0 then return redis.call('ZRANGEBYLEX', namespaces, from, to, 'LIMIT', 0, limit) end

local answer = {}
while #answer < limit do
  local ns = redis.call('ZRANGEBYLEX', namespaces, from, to, 'LIMIT', 0, 1)[1]
  if not ns then break end
  answer[#answer + 1] = cut(ns, depth)
  from = behind(answer[#answer])
end
return answer
