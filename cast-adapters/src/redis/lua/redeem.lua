-- Takes a use of a ticket for each new ballot of a flush, while there are uses left.
--
-- Atomic: the whole flush. The use counter and the ballot ids are read and written before any other
-- redemption begins. Why that is safe: a use is counted before its grant is returned, so the grants of
-- a ticket never exceed its limit, however many servers redeem it at once; a server that does not get
-- the answer has wasted uses, and never gained any. All reads come before all writes, so a script that
-- fails has changed nothing.
--
-- The ids of granted ballots are in hashes, one for each retry window of the clock. An id is looked up in
-- the current and the previous one, so it is remembered for one to two windows. Four keys take turns,
-- so that all can be declared: the current one, the previous one, the expired one, and the one that a
-- clock that was set back a little would use. The number of commands does not depend on the number of
-- ballots (up to 1,000; then one more set for each thousand).
--
-- KEYS[1]    the use counters
-- KEYS[2-5]  the ballot ids, in four buckets of a retry window each
-- ARGV[1]    valid_from, 16 digits     ARGV[2]  the ticket, hex
-- ARGV[3]    the retry window, ms
-- ARGV[4]    the claims, 32 bytes each: the ballot's id and the digest of its contents
-- Returns    one letter for each claim: (g)ranted, (r)epeated, (a)ltered, e(x)hausted;
--            or one letter for all of them: (u)nknown, (e)xpired
local PAGE = 1000 -- unpack() returns about 8,000 values at most.

local now = now_ms()
local counter = use_counter_of(KEYS[1], ARGV[1])
if not counter or counter.ticket ~= ARGV[2] or now < tonumber(ARGV[1]) then
  return 'u'
end
if now >= tonumber(counter.ends) then
  return 'e'
end
if counter.server ~= server_id() then
  return 'u'
end

local window_ms, claims = tonumber(ARGV[3]), ARGV[4]
local bucket = math.floor(now / window_ms)
local current_ids, last_ids = KEYS[2 + bucket % 4], KEYS[2 + (bucket + 3) % 4]
local left = tonumber(counter.limit) - counter.used
local answers, contents, fresh = {}, {}, {}

for first = 0, #claims / 32 - 1, PAGE do
  local last = math.min(first + PAGE, #claims / 32) - 1
  local ids = {}
  for i = first, last do
    ids[i - first + 1] = string.sub(claims, i * 32 + 1, i * 32 + 16)
  end
  local current = redis.call('HMGET', current_ids, unpack(ids))
  local before = redis.call('HMGET', last_ids, unpack(ids))
  for i, id in ipairs(ids) do
    local at = (first + i - 1) * 32
    local digest = string.sub(claims, at + 17, at + 32)
    local known = contents[id] or current[i] or before[i]
    local answer = 'x'
    if known then
      answer = known == digest and 'r' or 'a'
    elseif left > 0 then
      answer = 'g'
      left = left - 1
      contents[id] = digest
      fresh[#fresh + 1] = id
      fresh[#fresh + 1] = digest
    end
    answers[#answers + 1] = answer
  end
end

if #fresh > 0 then
  local used = counter.used + #fresh / 2
  -- The new member is added before the old one is removed: an empty set would lose its time to live.
  redis.call('ZADD', KEYS[1], 0, use_counter_text(counter.from, counter.ticket, counter.ends, counter.limit, counter.server, used))
  redis.call('ZREM', KEYS[1], counter.member)
  for first = 1, #fresh, 2 * PAGE do
    redis.call('HSET', current_ids, unpack(fresh, first, math.min(first + 2 * PAGE - 1, #fresh)))
  end
  -- One window longer than it is read: by then a publication has unlinked it.
  redis.call('PEXPIREAT', current_ids, digits((bucket + 3) * window_ms))
end
return table.concat(answers)
