-- Names. All keys of a script are in the partition of KEYS[1] and are built here.
local tag = string.match(KEYS[1], '^{[^}]*}')

local function key(kind, ...)
  return table.concat({ tag, kind, ... }, ':')
end
