-- Sets the votes of a candidate in all partitions. $1 votes; $2 candidate.
UPDATE candidates SET votes = $1 WHERE number = $2
