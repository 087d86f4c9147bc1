--[[ trail:<h>  set of `<checkpoint>:<ns>`
  Where a run stored something before its first checkpoint of the root graph: writes beside a checkpoint that it found
  there, and all of its subgraphs. A takeover in that time starts the run again, and take_back goes along the trail first.
  With a root checkpoint of its own the run goes on from there, and the trail ends. ]]
local function has_root(history, run)
  local id = newest_id(history, '')
  return id and cmsgpack.unpack(redis.call('HGET', checkpoint_key(history, '', id), 'author'))[1] == run
end

local function leave_trail(history, run, ns, id)
  if run == '' or has_root(history, run) then return end
  redis.call('SADD', key('trail', history), id .. ':' .. ns)
end
