-- Moves the progress of a partition from the start of a step to its end: the fence. It updates one row
-- if the progress is at the start, and none otherwise.
--
-- $1 next, $2 and $3 the last ballot before it and its offset, or null; $4 partition, $5 start.
--
-- Safe at READ COMMITTED: of two transactions, the second waits for the row lock until the first has
-- ended, and then evaluates the condition again on the new row. If the first committed, `next` is no
-- longer $5, and the second changes nothing. The row stays locked until the transaction ends, so no
-- other transaction writes to this partition meanwhile.
UPDATE progress
SET next = $1,
    last_ballot = coalesce($2, last_ballot),
    last_offset = coalesce($3, last_offset),
    updated_at = now()
WHERE partition = $4 AND next = $5
