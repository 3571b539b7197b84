-- Prelude: the tickets and their use counters, in one sorted set.
--
-- Each ticket is one member. All scores are 0, so the members are ordered by their bytes, which is by
-- the start of their periods:
--
--   <valid_from, 16 digits>:<ticket, hex>:<valid_until>:<limit>:<server>:<used>
--
-- One member of one key holds a ticket together with its use counter, so neither can be lost without the
-- other, and the key is lost as a whole or not at all. A ticket without a use counter was never
-- published. Lua's numbers hold times and uses exactly: both are far below 2^53.
--
-- <server> is the server that counts: its run id and its replication epoch (master_replid). The epoch
-- changes when a process starts, when a replica is promoted, and when a master gets its first replica;
-- the last costs the open ticket too. After a restart from disk or a failover, a server may know of
-- fewer uses than were granted. So it does not trust the use counter of another server, and refuses the
-- ticket. Neither id is enough: a replica shares the epoch of its master; and a former master that
-- became a replica of its successor, and is promoted again, is the same process.

-- The server that counts here. Without INFO, no counter could be distrusted after a failover, so there
-- are no tickets.
local function server_id()
  local function info_field(section, field)
    local info = redis.pcall('INFO', section)
    local id = type(info) == 'string' and string.match(info, field .. ':(%x+)')
    if not id then
      error({ err = 'NOPERM tickets need ' .. field .. ' of INFO ' .. section .. ': allow the user of the Redis URL the command INFO' })
    end
    return id
  end
  return info_field('server', 'run_id') .. info_field('replication', 'master_replid')
end

local function parse_use_counter(member)
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

local function use_counter_text(from, ticket, ends, limit, server, used)
  return table.concat({ from, ticket, ends, limit, server, digits(used) }, ':')
end

-- The use counter of the period that begins at `from` (16 digits), or nil.
local function use_counter_of(key, from)
  for _, member in ipairs(redis.call('ZRANGEBYLEX', key, '[' .. from .. ':', '(' .. from .. ';')) do
    local counter = parse_use_counter(member)
    if counter then
      return counter
    end
  end
  return nil
end
