-- Publishes a ticket, unless its period has one. First it removes what has expired: at most two old use
-- counters, and the bucket of ballot ids that has left the retry window.
--
-- Atomic: the look-up of the period's ticket and the write of the new one. Of two generators that
-- publish at once, the second finds the first one's ticket and adopts it. Why that is safe: a use
-- counter is written only if the period has none, or has one of another server. That one is no longer
-- redeemed anywhere, and the same ticket never gets a new use counter in its place. So the uses of a
-- ticket are never counted from zero twice.
--
-- KEYS[1]    the use counters
-- KEYS[2-5]  the ballot ids, in four buckets of a retry window each
-- ARGV[1]    valid_from, 16 digits     ARGV[2]  the ticket, hex
-- ARGV[3]    valid_until               ARGV[4]  how many uses
-- ARGV[5]    how long after its end a ticket is known as expired, ms
-- ARGV[6]    the retry window, ms
-- Returns    {ticket, valid_until, limit} of the period's ticket
local key, from, ticket, ends, limit = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local kept_ms, window_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local now, server = now_ms(), server_id()

local known = use_counter_of(key, from)
local trusted = known and known.server == server

-- UNLINK frees a large bucket in the background; an expiry might free it in the foreground.
redis.call('UNLINK', KEYS[2 + (math.floor(now / window_ms) + 2) % 4])
for _, member in ipairs(redis.call('ZRANGE', key, 0, 1)) do
  local old = parse_use_counter(member)
  if not old or (old.from ~= from and tonumber(old.ends) + kept_ms <= now) then
    redis.call('ZREM', key, member)
  end
end

if trusted then
  return { known.ticket, known.ends, known.limit }
end
if now < tonumber(ends) and not (known and known.ticket == ticket) then
  redis.call('ZADD', key, 0, use_counter_text(from, ticket, ends, limit, server, 0))
  if known then
    redis.call('ZREM', key, known.member)
  end
  -- The key lives as long as the last of its tickets, and at most until a date that Redis can hold.
  local until_ms = math.min(tonumber(ends) + kept_ms, 2 ^ 52)
  local left_ms = redis.call('PTTL', key)
  if left_ms < 0 or now + left_ms < until_ms then
    redis.call('PEXPIREAT', key, digits(until_ms))
  end
end
return { ticket, ends, limit }
