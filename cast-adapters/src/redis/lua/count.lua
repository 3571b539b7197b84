-- Prelude: all that is known of one candidate, in one sorted set.
--
-- One key, so that Redis loses a candidate whole or not at all: a tally that is shown is never the
-- sum of what was lost and what was not. All scores are 0, so that members order by their bytes:
--
--   a:<ms>      when the candidate was last reconciled as a whole, by the server's clock
--   b:<partition>:<as_of>:<reconciled>:<last>:<high>:<low>      a partition's count
--   t:<partition, 10 digits>:<offset, 20 digits>:<high>:<low>      a record of its tail
--
-- <last> is the highest offset of the partition's tail, and nothing if it has none. <high> and <low>
-- are votes, of the record or summed over the tail: high * 10^10 + low. Lua's numbers are exact only
-- below 2^53; a record's parts are below 10^10, so their sums are exact for 900,000 records of any
-- number of votes, and for 2^53 votes in any number of records. Offsets and reconciled votes stay texts,
-- which are compared and never calculated with.
--
-- To show a count takes reading the first few members, however long the tail is; to find a record
-- of the tail, or those before an offset, takes a look-up in the order.

-- What members begin with: string.byte tells it without making a text of it.
local MARK, COUNT = 97, 98

-- Whether the number a comes before b; both are decimal, without leading zeros.
local function before(a, b)
  return #a < #b or (#a == #b and a < b)
end

-- The first text behind all that begin with `prefix`, which ends in a colon.
local function behind(prefix)
  return string.sub(prefix, 1, -2) .. ';'
end

-- The members that are not records of a tail.
local function head_of(key)
  return redis.call('ZRANGEBYLEX', key, '[a:', '(c')
end

-- Whether any partition has a tail: where it has none, two colons meet.
local function has_tail(head)
  for _, member in ipairs(head) do
    if string.byte(member) == COUNT and not string.find(member, '::', 1, true) then
      return true
    end
  end
  return false
end

-- A partition's count, and where it stands in the head. One that is not there begins at nothing;
-- one that makes no sense is nil.
local function count_of(head, partition)
  local prefix = 'b:' .. partition .. ':'
  for at, member in ipairs(head) do
    if string.sub(member, 1, #prefix) == prefix then
      local as_of, reconciled, last, high, low =
        string.match(member, '^(%d+):(%d+):(%d*):(%d+):(%d+)$', #prefix + 1)
      return as_of and {
        prefix = prefix, at = at, member = member, as_of = as_of, reconciled = reconciled, last = last,
        high = tonumber(high), low = tonumber(low),
      }
    end
  end
  return { prefix = prefix, at = #head + 1, as_of = '0', reconciled = '0', last = '', high = 0, low = 0 }
end

local function count_text(count)
  return string.format(
    '%s%s:%s:%s:%.0f:%.0f', count.prefix, count.as_of, count.reconciled, count.last, count.high, count.low)
end

-- Adds members and then removes others, 1,000 at a time: Lua hands about 8,000 values over at once.
-- In this order, because a set that became empty in between would lose its time to live.
local function replace(key, added, removed)
  for first = 1, #added, 1000 do
    local scored = {}
    for i = first, math.min(first + 999, #added) do
      scored[#scored + 1] = 0
      scored[#scored + 1] = added[i]
    end
    redis.call('ZADD', key, unpack(scored))
  end
  for first = 1, #removed, 1000 do
    redis.call('ZREM', key, unpack(removed, first, math.min(first + 999, #removed)))
  end
end

-- What the scripts answer: the age in ms (-1 if the candidate is not known as a whole), and the
-- count of each partition.
local function shown(head)
  local answer = { -1 }
  for _, member in ipairs(head) do
    if string.byte(member) == MARK then
      local reconciled_at = tonumber(string.sub(member, 3))
      answer[1] = reconciled_at and math.max(0, now_ms() - reconciled_at) or -1
    else
      answer[#answer + 1] = member
    end
  end
  return answer
end
