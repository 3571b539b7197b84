-- Moves the progress of a partition from the start of a step to its end: the fence. One row if it
-- was there, none if it was elsewhere.
--
-- $1 next, $2 and $3 the last ballot before it and its offset, or null; $4 partition, $5 start.
--
-- Safe at READ COMMITTED: of two transactions, the second waits for the row until the first has
-- ended, and then looks at the row as it is by then. If the first committed, `next` is no longer $5
-- and the second changes nothing. The row stays locked until the end of the transaction, so all
-- that follows in it is alone in its partition.
UPDATE progress
SET next = $1,
    last_ballot = coalesce($2, last_ballot),
    last_offset = coalesce($3, last_offset),
    updated_at = now()
WHERE partition = $4 AND next = $5
