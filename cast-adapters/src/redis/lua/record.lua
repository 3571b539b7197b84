-- Adds the pending votes of one candidate in some records, and returns its count.
--
-- Atomic: all of it, for this one candidate. Why that is safe: a record is looked up in the step that adds
-- it, so recording it twice, or from two servers at once, counts it once; and a record before the
-- applied total is ignored, so it makes no difference whether it is recorded or reconciled first. All
-- reads come before all writes.
--
-- A count with pending votes has no time to live: the store may not have those votes yet. One without
-- expires some time after its last use. Nothing is added to an invalid count: the caller treats it as a
-- miss, and reconciling replaces it.
--
-- KEYS[1]  the count of the candidate
-- ARGV[1]  how long a count without pending votes is kept, ms
-- ARGV[2]  and on, by fives: partition, offset, the beginning of the record's member, and the high and
--          low part of its votes
-- Returns  as `shown` does
local key = KEYS[1]
local head = head_of(key)
local had_pending = has_pending(head)
local counts, added, removed, taken = {}, {}, {}, {}

for i = 2, #ARGV, 5 do
  local partition, offset, prefix = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local count = counts[partition] or count_of(head, partition)
  if not count then
    return shown(head)
  end
  if not before(offset, count.as_of) then
    -- Records mostly come in order: one after <last> cannot be there, and is not looked up.
    local is_last = count.last == '' or before(count.last, offset)
    local known = not is_last and (taken[prefix]
      or redis.call('ZRANGEBYLEX', key, '[' .. prefix, '(' .. after(prefix), 'LIMIT', 0, 1)[1])
    if not known then
      local high, low = ARGV[i + 3], ARGV[i + 4]
      taken[prefix] = true
      added[#added + 1] = prefix .. high .. ':' .. low
      count.high, count.low = count.high + high, count.low + low
      if is_last then
        count.last = offset
      end
      if not counts[partition] then
        counts[partition] = count
        head[count.at] = ''
      end
    end
  end
end

for _, count in pairs(counts) do
  local member = count_text(count)
  head[count.at] = member
  added[#added + 1] = member
  removed[#removed + 1] = count.member
end
replace(key, added, removed)
if not had_pending then
  if #added > 0 then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
return shown(head)
