-- Reads the count of one candidate, and extends its time to live.
--
-- Atomic: the counts of all partitions are read at one moment, so their sum is one that existed. Only
-- the time to live is written, and seldom, so a reading costs almost no replication.
--
-- KEYS[1]  the candidate's count
-- ARGV[1]  how long a count without pending votes is kept, ms
-- Returns  as `shown` does
local head = head_of(KEYS[1])
if #head > 0 and not has_pending(head) and redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) / 2 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return shown(head)
