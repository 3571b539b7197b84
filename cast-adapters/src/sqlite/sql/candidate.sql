-- A candidate: number, votes of all partitions. $1 name.
SELECT number, votes FROM candidates WHERE username = $1
