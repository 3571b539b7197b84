-- For each candidate, its votes in every partition that has progress, as of that progress.
--
-- $1 candidates. `index` is the candidate's place in $1, from 1.
--
-- One statement, so one snapshot: totals and progress change in one transaction, and are seen
-- together or not at all. A total that the last steps of its partition did not change is as of the
-- progress too.
SELECT asked.index, progress.partition, coalesce(totals.votes, 0), progress.next
FROM unnest($1::text[]) WITH ORDINALITY AS asked (candidate, index)
CROSS JOIN progress
LEFT JOIN totals ON totals.candidate = asked.candidate AND totals.partition = progress.partition
ORDER BY asked.index, progress.partition
