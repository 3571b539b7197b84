-- Adds the votes that one candidate got in some records to its tail, and shows what stands then.
--
-- Atomic: all of it, for this one candidate. Why that is safe: a record is looked for before it is
-- added, in the step that adds it, so recording it twice, or from two doors at once, counts it once;
-- and one before what is reconciled is left out, so whether a record or its reconciling comes first makes
-- no difference. Everything is read before anything is written.
--
-- A count with a tail has no time to live: nothing else knows its votes yet. One without is kept for
-- a while after its last use. To a count that makes no sense nothing is added: it is shown as it is,
-- which is a miss, and reconciling drops it.
--
-- KEYS[1]  the candidate's count
-- ARGV[1]  how long a count without a tail is kept, ms
-- ARGV[2]  and on, by fives: partition, offset, the beginning of the record's member, and the votes'
--          high and low part
-- Returns  as `shown` says
local key = KEYS[1]
local head = head_of(key)
local had_tail = has_tail(head)
local counts, added, removed, taken = {}, {}, {}, {}

for i = 2, #ARGV, 5 do
  local partition, offset, prefix = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local count = counts[partition] or count_of(head, partition)
  if not count then
    return shown(head)
  end
  if not before(offset, count.as_of) then
    -- Behind the last record there is none yet, which saves looking in the usual order of things.
    local is_last = count.last == '' or before(count.last, offset)
    local known = not is_last and (taken[prefix]
      or redis.call('ZRANGEBYLEX', key, '[' .. prefix, '(' .. behind(prefix), 'LIMIT', 0, 1)[1])
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
if not had_tail then
  if #added > 0 then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
return shown(head)
