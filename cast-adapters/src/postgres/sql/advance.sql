-- Moves the progress of a partition from the start of a step to its end: the fence. One row if it
-- was there, none if it was elsewhere.
--
-- $1 partition, $2 start, $3 next, $4 and $5 the last ballot before it and its offset, or null.
--
-- Safe at READ COMMITTED: of two transactions, the second waits for the row until the first has
-- ended, and then looks at the row as it is by then. If the first committed, `next` is no longer $2
-- and the second changes nothing. The row stays locked until the end of the transaction, so all
-- that follows in it is alone in its partition.
UPDATE progress
SET next = $3,
    last_ballot = coalesce($4, last_ballot),
    last_offset = coalesce($5, last_offset),
    updated_at = now()
WHERE partition = $1 AND next = $2
