-- Makes a ticket that of its period, unless the period has one. First, what no longer counts goes:
-- meters that ended long ago, two a call, and the bucket of ballot ids that left the retry window.
--
-- Atomic: looking for the period's ticket and writing the new one. Two generators that publish at
-- once are served one after the other, so the second finds the first one's ticket and adopts it.
-- Why that is safe: a meter is written only where the period has none, or has one that another
-- server kept; that one is no longer redeemed anywhere, and the same ticket never gets a new meter
-- in its place. So no ticket's uses are counted twice from zero.
--
-- KEYS[1]    the meters
-- KEYS[2-5]  the ballot ids, in four buckets of a retry window each
-- ARGV[1]    valid_from, 16 digits     ARGV[2]  the ticket, hex
-- ARGV[3]    valid_until               ARGV[4]  how many uses
-- ARGV[5]    how long after its end a ticket is told apart as expired, ms
-- ARGV[6]    the retry window, ms
-- Returns    {ticket, valid_until, limit} of the period's ticket
local key, from, ticket, ends, limit = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local kept_ms, window_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local now, server = now_ms(), server_id()

local known = meter_of(key, from)
local trusted = known and known.server == server

-- With a grown bucket, UNLINK frees in the background what an expiry might free in the foreground.
redis.call('UNLINK', KEYS[2 + (math.floor(now / window_ms) + 2) % 4])
for _, member in ipairs(redis.call('ZRANGE', key, 0, 1)) do
  local old = parse_meter(member)
  if not old or (old.from ~= from and tonumber(old.ends) + kept_ms <= now) then
    redis.call('ZREM', key, member)
  end
end

if trusted then
  return { known.ticket, known.ends, known.limit }
end
if now < tonumber(ends) and not (known and known.ticket == ticket) then
  redis.call('ZADD', key, 0, meter_text(from, ticket, ends, limit, server, 0))
  if known then
    redis.call('ZREM', key, known.member)
  end
  -- The key lives as long as the last of its tickets; beyond any date, for one that never ends.
  local until_ms = math.min(tonumber(ends) + kept_ms, 2 ^ 52)
  local left_ms = redis.call('PTTL', key)
  if left_ms < 0 or now + left_ms < until_ms then
    redis.call('PEXPIREAT', key, digits(until_ms))
  end
end
return { ticket, ends, limit }
