-- How far a partition was folded, with the last ballot before that and its offset; no row if it never
-- was. $1 partition.
SELECT next, last_ballot, last_offset FROM progress WHERE partition = $1
