-- The progress of a partition, with the last ballot before it and its offset; no row if no step of the
-- partition was applied. $1 partition.
SELECT next, last_ballot, last_offset FROM progress WHERE partition = $1
