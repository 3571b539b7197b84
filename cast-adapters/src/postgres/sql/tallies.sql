-- For each candidate, its votes in every partition that was ever folded, as of its progress.
--
-- $1 candidates. The rows are numbered by the candidate's place in $1, from 1.
--
-- One statement, so one snapshot: totals and progress change in one transaction, and are seen
-- together or not at all. A total that its partition's last steps left alone is as of the progress
-- all the same.
SELECT asked.place, progress.partition, coalesce(totals.votes, 0), progress.next
FROM unnest($1::text[]) WITH ORDINALITY AS asked (candidate, place)
CROSS JOIN progress
LEFT JOIN totals ON totals.candidate = asked.candidate AND totals.partition = progress.partition
ORDER BY asked.place, progress.partition
