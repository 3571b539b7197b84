-- Adds the votes that one candidate got in some records to its tail, and shows what stands then.
--
-- Atomic: all of it, for this one candidate. Why that is safe: a record is looked for before it is
-- added, in the step that adds it, so recording it twice, or from two doors at once, counts it once;
-- and one before what is settled is left out, so whether a record or its settling comes first makes
-- no difference. Everything is read before anything is written.
--
-- A count with a tail has no time to live: nothing else knows its votes yet. One without is kept for
-- a while after its last use.
--
-- KEYS[1]  the candidate's count
-- ARGV[1]  how long a count without a tail is kept, ms
-- ARGV[2]  and on, by fours: partition, offset, and the votes' high and low part
-- Returns  as `shown` says
local key = KEYS[1]
local head = head_of(key)
local had_tail = has_tail(head)
local counts, added, removed, taken = {}, {}, {}, {}

for i = 2, #ARGV, 4 do
  local partition, offset, high, low = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local count = counts[partition] or count_of(head, partition)
  if not before(offset, count.as_of) then
    local prefix = record_prefix(partition, offset)
    local there = taken[prefix]
      or redis.call('ZRANGEBYLEX', key, '[' .. prefix, '(' .. behind(prefix), 'LIMIT', 0, 1)[1]
    if not there then
      taken[prefix] = true
      added[#added + 1] = prefix .. high .. ':' .. low
      count.high, count.low = count.high + tonumber(high), count.low + tonumber(low)
      if count.low >= BASE then
        count.high, count.low = count.high + 1, count.low - BASE
      end
      if count.last == '' or before(count.last, offset) then
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
  if member ~= count.member then
    added[#added + 1] = member
    removed[#removed + 1] = count.member
  end
end
replace(key, added, removed)
if #added == 0 and not had_tail then
  redis.call('PEXPIRE', key, ARGV[1])
elseif not had_tail then
  redis.call('PERSIST', key)
end
return shown(head)
