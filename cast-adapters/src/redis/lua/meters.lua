-- Prelude: the meters of all tickets, in one sorted set.
--
-- Each ticket is one member; all scores are 0, so that members order by their bytes, which is by
-- the beginning of their periods:
--
--   <valid_from, 16 digits>:<ticket, hex>:<valid_until>:<limit>:<server>:<used>
--
-- One key and one member hold the ticket together with its meter, so none can be lost without the
-- other, and the key is lost whole or not at all: a ticket without a meter is one that was never
-- published. Lua's numbers hold times and uses exactly, both being far below 2^53.
--
-- <server> is the reign of the Redis process that counts: what Redis calls its replication id, which
-- is a new one for each process that starts, for each replica that is promoted, and for a master that
-- gets its first replica (which costs the open ticket, too). Whoever took over
-- (a restart from disk, a replica) may know fewer uses than were granted; it does not trust a meter
-- that another one kept, and refuses the ticket. Nor does one that was master before, was put back to
-- what its successor knew, and is master again: its run id is the old one, but not its reign.

-- The reign of this process; empty where the server does not tell, which gives up that one check.
local function server_id()
  local info = redis.pcall('INFO', 'replication')
  if type(info) ~= 'string' then
    return ''
  end
  local _, before = string.find(info, 'master_replid:', 1, true)
  return before and string.match(info, '^%x+', before + 1) or ''
end

local function parse_meter(member)
  local from, ticket, ends, limit, server, used =
    string.match(member, '^(%d+):(%x+):(%d+):(%d+):(%x*):(%d+)$')
  if not from then
    return nil
  end
  return {
    member = member,
    from = from,
    ticket = ticket,
    ends = ends,
    limit = limit,
    server = server,
    used = tonumber(used),
  }
end

local function meter_text(from, ticket, ends, limit, server, used)
  return table.concat({ from, ticket, ends, limit, server, digits(used) }, ':')
end

-- The meter of the period that begins at `from` (16 digits), or nil.
local function meter_of(key, from)
  for _, member in ipairs(redis.call('ZRANGEBYLEX', key, '[' .. from .. ':', '(' .. from .. ';')) do
    local meter = parse_meter(member)
    if meter then
      return meter
    end
  end
  return nil
end
