-- Shows what is known of one candidate, and keeps it for a while longer.
--
-- Atomic: the counts of all partitions are read at one moment, so their sum is that of a moment.
-- Nothing but the time to live is written, and that seldom: a reading costs no replication.
--
-- KEYS[1]  the candidate's count
-- ARGV[1]  how long a count without a tail is kept, ms
-- Returns  as `shown` says
local head = head_of(KEYS[1])
if #head > 0 and not has_tail(head) and redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) / 2 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return shown(head)
