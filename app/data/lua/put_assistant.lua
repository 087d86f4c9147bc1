#!lua
--[[ put_assistant: make an assistant, give it a new version, or put an earlier one in use.

  KEYS  1 assistant  hash
  ARGV  1 id   2 the revision that was read, '' to make it   3 version, '' for a new one
        4 graph   5 name   6 terms (words)   7 body (JSON)   8 a name for this call
  Returns  {`put`, fields} | {`changed`, fields of what is there now} | {`missing`}
  Tells the servers that hold it in memory. A call that comes twice answers what the first one did.
]]
--- @include "base"
--- @include "assistants"
local id, read, version, graph, name, terms, body, call = unpack(ARGV)
local record, versions = KEYS[1], key('assistant_versions', id)
if redis.call('HGET', record, 'call') == call then return { 'put', fields(id) } end
local revision = redis.call('HGET', record, 'revision') or ''
if revision ~= read then
  if revision == '' then return { 'missing' } end
  return { 'changed', fields(id) }
end

unindex(id)
redis.call('HSETNX', record, 'created_at', now)
redis.call('HINCRBY', record, 'revision', 1)
if version == '' then version = redis.call('HINCRBY', record, 'last', 1) end
local updated_at = read == '' and redis.call('HGET', record, 'created_at') or now
redis.call('HSET', record, 'version', version, 'updated_at', updated_at, 'graph', graph, 'name', name, 'terms', terms,
  'body', body, 'call', call)
redis.call('HSET', versions, version, body)
redis.call('HSETNX', versions, version .. ':at', updated_at)
index(id)
redis.call('SPUBLISH', key('assistants', 'changed'), id)
return { 'put', fields(id) }
