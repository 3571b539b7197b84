-- Replaces the applied totals of one candidate in some partitions by those of the store.
--
-- Atomic: all of it, for this one candidate. Why that is safe: an applied total only moves forward, and
-- the step that sets it removes exactly the pending votes that it contains, so no vote is counted twice
-- or dropped in between. Lost, repeated and reordered calls lead to the same count.
--
-- Each pending record is read once when it is removed, so the cost is proportional to what was recorded;
-- if all pending votes of a partition go, they are removed without being read.
--
-- An invalid count is dropped first, and replaced by the store's totals.
--
-- KEYS[1]  the count of the candidate
-- ARGV[1]  how long a count without pending votes is kept, ms
-- ARGV[2]  '1' if these are all totals that the store has of the candidate, else '0'
-- ARGV[3]  and on, by fives: partition, as_of, votes, and the beginnings of the members of the
--          partition's pending records and of a record at as_of
-- Returns  nothing
local key = KEYS[1]
local counts, added, removed = {}, {}, {}

-- The head if it is valid; otherwise the count is dropped, with its pending votes.
local function checked_head()
  local head = head_of(key)
  for _, member in ipairs(head) do
    if not string.find(member, '^b:%d+:%d+:%d+:%d*:%d+:%d+$') and not string.find(member, '^a:%d+$') then
      redis.call('UNLINK', key)
      return {}
    end
  end
  return head
end

-- Removes the pending records of a partition before `as_of`, and their votes from the count.
local function drop_pending(count, as_of, pending, as_of_member)
  if before(count.last, as_of) then
    redis.call('ZREMRANGEBYLEX', key, '[' .. pending, '(' .. after(pending))
    count.last, count.high, count.low = '', 0, 0
    return
  end
  repeat
    local page = redis.call('ZRANGEBYLEX', key, '[' .. pending, '(' .. as_of_member, 'LIMIT', 0, 1000)
    for _, member in ipairs(page) do
      local high, low = string.match(member, ':(%d+):(%d+)$')
      count.high, count.low = count.high - high, count.low - low
    end
    if #page > 0 then
      redis.call('ZREM', key, unpack(page))
    end
  until #page < 1000
end

local head = checked_head()
for i = 3, #ARGV, 5 do
  local partition, as_of, votes = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local count = counts[partition] or count_of(head, partition)
  if before(count.as_of, as_of) then
    -- The member of the count is still there, so the set does not become empty here.
    if count.last ~= '' then
      drop_pending(count, as_of, ARGV[i + 3], ARGV[i + 4])
    end
    count.as_of, count.applied = as_of, votes
    counts[partition] = count
    head[count.at] = ''
  end
end

for _, count in pairs(counts) do
  local member = count_text(count)
  head[count.at] = member
  added[#added + 1] = member
  removed[#removed + 1] = count.member
end
if ARGV[2] == '1' then
  local mark = 'a:' .. digits(now_ms())
  if head[1] ~= mark then
    added[#added + 1] = mark
    if head[1] and string.byte(head[1]) == MARK then
      removed[#removed + 1] = head[1]
    end
  end
end
replace(key, added, removed)
if not has_pending(head) then
  redis.call('PEXPIRE', key, ARGV[1])
end
return false
