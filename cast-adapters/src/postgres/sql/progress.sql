-- How far a partition was folded; no row if it never was. $1 partition.
SELECT next FROM progress WHERE partition = $1
