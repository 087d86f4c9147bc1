--- @include "keys"
--[[ What a search finds threads by. Every script that changes what a search sees of a thread calls thread_changed, or
  thread_gone where it takes the thread's hash away. The thread of a stateless run that leaves nothing is never found.

  threads:thread_id          zset  all threads, by name
  threads:created_at, threads:updated_at, threads:state_updated_at       zset  all threads, by that time (ms)
  threads:status:<status>    zset  those of a status, by updated_at
  threads:with:<term>        zset  those that have a top-level scalar in their metadata, by updated_at
  threads:indexed            hash  thread → what it is found by now: {created_at, status, terms of its latest run, other
                                   terms} (cmsgpack), so that old entries go whatever has become of the thread meanwhile

  The term of `graph_id` and `assistant_id` is that of the latest run, which the API shows in their place. ]]
-- Hexadecimal digits of the digest that stands for a name and its value: 96 bits.
local TERM_LENGTH = 24
-- Each is an entry in an index. Metadata with more keys is refused before it comes here.
local MOST_METADATA_KEYS = 500

-- nil for what is no scalar. Numbers are compared as such: 1 and 1.0 are the same.
local function term(name, value)
  local kind, text = type(value), nil
  if kind == 'string' then text = 's' .. value
  elseif kind == 'number' then text = 'n' .. struct.pack('>d', value)
  elseif kind == 'boolean' then text = value and 't' or 'f'
  elseif value == cjson.null then text = '0' end
  return text and string.sub(redis.sha1hex(#name .. ':' .. name .. text), 1, TERM_LENGTH)
end

-- JSON that Lua's parser refuses holds half of a surrogate pair, the only surrogate that JavaScript writes as an escape.
-- Whatever it holds, a run must come to its end.
local function decoded(metadata)
  local ok, fields = pcall(cjson.decode, metadata)
  if not ok then ok, fields = pcall(cjson.decode, (string.gsub(metadata, '\\u[dD][89a-fA-F]%x%x', '\\ufffd'))) end
  return ok and fields or {}
end

-- Returns the terms of `graph_id` and `assistant_id`, and all others.
local function terms_of(metadata)
  local of_run, others, keys = {}, {}, 0
  for name, value in pairs(decoded(metadata)) do
    local word = term(name, value)
    if name == 'graph_id' or name == 'assistant_id' then
      of_run[#of_run + 1] = word
    else
      others[#others + 1] = word
      keys = keys + 1
    end
  end
  return of_run, keys > MOST_METADATA_KEYS and {} or others
end

local function leave_index(thread, status, terms)
  if status ~= '' then redis.call('ZREM', key('threads', 'status', status), thread) end
  for _, word in ipairs(terms) do redis.call('ZREM', key('threads', 'with', word), thread) end
end

local function joined(first, second)
  local all = { unpack(first) }
  for _, word in ipairs(second) do all[#all + 1] = word end
  return all
end

local function thread_gone(thread)
  local held = redis.call('HGET', key('threads', 'indexed'), thread)
  if not held then return end
  local _, status, of_run, others = unpack(cmsgpack.unpack(held))
  leave_index(thread, status, joined(of_run, others))
  for _, order in ipairs({ 'thread_id', 'created_at', 'updated_at', 'state_updated_at' }) do
    redis.call('ZREM', key('threads', order), thread)
  end
  redis.call('HDEL', key('threads', 'indexed'), thread)
end

-- Indexes a thread as its hash says. new_metadata: true where its metadata changed; it is not read else.
local function thread_changed(thread, new_metadata)
  local thread_key, indexed = key('thread', thread), key('threads', 'indexed')
  local created, lifetime, updated, state_updated, status, graph, assistant = unpack(redis.call('HMGET', thread_key,
    'created_at', 'lifetime', 'updated_at', 'state_updated_at', 'status', 'graph_id', 'assistant_id'))
  if not created or lifetime == 'delete' then return end

  local held = redis.call('HGET', indexed, thread)
  local before = held and cmsgpack.unpack(held) or { '', '', {}, {} }
  local of_run, others = {}, before[4]
  if new_metadata or before[1] ~= created or not graph then
    of_run, others = terms_of(redis.call('HGET', thread_key, 'metadata') or '{}')
  end
  if graph then of_run = { term('graph_id', graph), term('assistant_id', assistant) } end

  local terms = joined(of_run, others)
  local found_by = cmsgpack.pack({ created, status, of_run, others })
  if found_by ~= held then
    local stays, gone = {}, {}
    for _, word in ipairs(terms) do stays[word] = true end
    for _, word in ipairs(joined(before[3], before[4])) do
      if not stays[word] then gone[#gone + 1] = word end
    end
    leave_index(thread, before[2] ~= status and before[2] or '', gone)
    if before[1] ~= created then
      redis.call('ZADD', key('threads', 'thread_id'), 0, thread)
      redis.call('ZADD', key('threads', 'created_at'), created, thread)
    end
    redis.call('HSET', indexed, thread, found_by)
  end
  redis.call('ZADD', key('threads', 'updated_at'), updated, thread)
  redis.call('ZADD', key('threads', 'state_updated_at'), state_updated or created, thread)
  redis.call('ZADD', key('threads', 'status', status), updated, thread)
  for _, word in ipairs(terms) do redis.call('ZADD', key('threads', 'with', word), updated, thread) end
end
