-- Prelude: the count of one candidate, in one sorted set.
--
-- One key, so that Redis loses a candidate as a whole or not at all: a tally never misses only a part of
-- its votes. All scores are 0, so the members are ordered by their bytes:
--
--   a:<ms>      when all applied totals were last loaded from the store, by the server's clock
--   b:<partition>:<as_of>:<applied>:<last>:<high>:<low>      the count of a partition
--   t:<partition, 10 digits>:<offset, 20 digits>:<high>:<low>      the pending votes of a record
--
-- <applied> is the applied total as of the offset <as_of>. <last> is the highest offset with pending
-- votes, and empty if there are none. <high> and <low> are pending votes, of the record or of the whole
-- partition: high * 10^10 + low. Lua's numbers are exact only below 2^53; the parts of a record are below
-- 10^10, so their sums are exact for 900,000 records of any number of votes, and for 2^53 votes in any
-- number of records. Offsets and applied totals stay strings, which are compared and never added.
--
-- A tally takes reading the first few members, however many records are pending. A pending record, or
-- those before an offset, are found by a range query.

-- The first bytes of members, as string.byte() returns them.
local MARK, COUNT = 97, 98

-- Whether the number a comes before b; both are decimal, without leading zeros.
local function before(a, b)
  return #a < #b or (#a == #b and a < b)
end

-- The first string after all that begin with `prefix`, which ends in a colon.
local function after(prefix)
  return string.sub(prefix, 1, -2) .. ';'
end

-- The members that are not pending records.
local function head_of(key)
  return redis.call('ZRANGEBYLEX', key, '[a:', '(c')
end

-- Whether any partition has pending votes: without any, <last> is empty, between two colons.
local function has_pending(head)
  for _, member in ipairs(head) do
    if string.byte(member) == COUNT and not string.find(member, '::', 1, true) then
      return true
    end
  end
  return false
end

-- The count of a partition, and its index in the head. A missing one is zero, an invalid one nil.
local function count_of(head, partition)
  local prefix = 'b:' .. partition .. ':'
  for at, member in ipairs(head) do
    if string.sub(member, 1, #prefix) == prefix then
      local as_of, applied, last, high, low =
        string.match(member, '^(%d+):(%d+):(%d*):(%d+):(%d+)$', #prefix + 1)
      return as_of and {
        prefix = prefix, at = at, member = member, as_of = as_of, applied = applied, last = last,
        high = tonumber(high), low = tonumber(low),
      }
    end
  end
  return { prefix = prefix, at = #head + 1, as_of = '0', applied = '0', last = '', high = 0, low = 0 }
end

local function count_text(count)
  return string.format(
    '%s%s:%s:%s:%.0f:%.0f', count.prefix, count.as_of, count.applied, count.last, count.high, count.low)
end

-- Adds members and then removes others, 1,000 at a time: unpack() returns about 8,000 values at most.
-- In this order, because a set that is empty in between would lose its time to live.
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

-- The answer of the scripts: the age in ms (-1 if the applied totals were never loaded), and the count
-- of each partition.
local function shown(head)
  local answer = { -1 }
  for _, member in ipairs(head) do
    if string.byte(member) == MARK then
      local loaded_at = tonumber(string.sub(member, 3))
      answer[1] = loaded_at and math.max(0, now_ms() - loaded_at) or -1
    else
      answer[#answer + 1] = member
    end
  end
  return answer
end
