-- A total. $1 candidate; $2 partition.
SELECT votes FROM totals WHERE candidate = $1 AND partition = $2
