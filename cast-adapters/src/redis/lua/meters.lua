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
-- <server> is who counts: the Redis process (its run id), and its reign (what Redis calls its
-- replication id, which is a new one for each process that starts, for each replica that is promoted,
-- and for a master that gets its first replica, which costs the open ticket, too). Whoever took over
-- (a restart from disk, a replica) may know fewer uses than were granted; it does not trust a meter
-- that another one kept, and refuses the ticket. Neither id is enough: a replica shares its master's
-- reign, and one that was master before, was put back to what its successor knew, and is master again,
-- is the same process.

-- Who counts here. Where the server does not tell, nothing can be told apart after a failover, so
-- there are no tickets.
local function server_id()
  local function told(section, field)
    local info = redis.pcall('INFO', section)
    local id = type(info) == 'string' and string.match(info, field .. ':(%x+)')
    if not id then
      error({ err = 'NOPERM tickets need INFO ' .. section .. ' (' .. field .. '), which the server does not tell: let the user ask INFO' })
    end
    return id
  end
  return told('server', 'run_id') .. told('replication', 'master_replid')
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
