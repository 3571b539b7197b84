-- Takes over what the store says of one candidate: votes as of an offset, for some partitions.
--
-- Atomic: all of it, for this one candidate. Why that is safe: what is reconciled only moves forward,
-- and takes exactly the tail before it away in the step that adds it, so no vote is shown twice or
-- dropped in between; lost, repeated and reordered reconciliations end the same.
--
-- The tail that is taken away is looked at once, record by record, so reconciling costs in proportion
-- to what was recorded; and where a whole tail goes, it is only removed.
--
-- A count that makes no sense is as good as lost: it is dropped first, and what the store says is
-- reconciled in its place.
--
-- KEYS[1]  the candidate's count
-- ARGV[1]  how long a count without a tail is kept, ms
-- ARGV[2]  '1' if that is all the store knows of the candidate, else '0'
-- ARGV[3]  and on, by fives: partition, as_of, votes, and the beginnings of the members of the
--          partition's tail and of a record at as_of
-- Returns  nothing
local key = KEYS[1]
local counts, added, removed = {}, {}, {}

-- The head, if all of it makes sense; else the count is lost, and so is its tail.
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

-- Removes the records of a partition's tail before `as_of`, and their votes from the count.
local function drop_tail(count, as_of, tail, reconciled)
  if before(count.last, as_of) then
    redis.call('ZREMRANGEBYLEX', key, '[' .. tail, '(' .. behind(tail))
    count.last, count.high, count.low = '', 0, 0
    return
  end
  repeat
    local page = redis.call('ZRANGEBYLEX', key, '[' .. tail, '(' .. reconciled, 'LIMIT', 0, 1000)
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
    -- The count's own member is still there, so the set does not become empty here.
    if count.last ~= '' then
      drop_tail(count, as_of, ARGV[i + 3], ARGV[i + 4])
    end
    count.as_of, count.reconciled = as_of, votes
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
if not has_tail(head) then
  redis.call('PEXPIRE', key, ARGV[1])
end
return false
