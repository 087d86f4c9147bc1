--[[ Assistants, all in one partition. `assistant:<id>` is a hash:
    created_at, updated_at (ms)   revision counts all changes   version is the one in use, last the highest there is
    graph, name, terms            what it is indexed by          body  the version in use (JSON, written by servers only)
  `assistant_versions:<id>` holds each version's body under its number and its time under `<number>:at`; a body is never
  rewritten here, because Lua's JSON turns an empty list into an object.

  Indexes: a zset for each order, of all (`assistants:<order>`) and of each graph (`assistants:<order>:<graph>`), and a set
  for each graph and each top-level scalar of metadata (`assistants:with:<term>`). Members end with the id, 36 characters. ]]
local function orders(id, graph, name, created_at, updated_at)
  return {
    created_at = { created_at, id }, updated_at = { updated_at, id }, assistant_id = { 0, id },
    name = { 0, name .. '\0' .. id }, graph_id = { 0, graph .. '\0' .. id },
  }
end

local function each_index(id, on_order, on_term)
  local graph, name, created_at, updated_at, terms =
    unpack(redis.call('HMGET', key('assistant', id), 'graph', 'name', 'created_at', 'updated_at', 'terms'))
  if not graph then return end
  for order, entry in pairs(orders(id, graph, name, created_at, updated_at)) do
    on_order(key('assistants', order), entry[1], entry[2])
    on_order(key('assistants', order, graph), entry[1], entry[2])
  end
  for term in string.gmatch(terms, '%S+') do on_term(key('assistants', 'with', term), id) end
end

local function index(id)
  each_index(id,
    function(zset, score, member) redis.call('ZADD', zset, score, member) end,
    function(set, member) redis.call('SADD', set, member) end)
end

local function unindex(id)
  each_index(id,
    function(zset, _, member) redis.call('ZREM', zset, member) end,
    function(set, member) redis.call('SREM', set, member) end)
end

local function fields(id)
  return redis.call('HMGET', key('assistant', id), 'created_at', 'updated_at', 'revision', 'version', 'body')
end
