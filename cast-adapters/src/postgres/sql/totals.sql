-- The totals of some candidates in one partition; a candidate without votes there has no row.
--
-- $1 partition, $2 candidates.
SELECT candidate, votes FROM totals WHERE partition = $1 AND candidate = ANY ($2)
