-- Inserts the first progress of a partition: one row, or none if there is one already.
--
-- $1 partition, $2 next, $3 and $4 the last ballot before it and its offset, or null.
--
-- Safe at READ COMMITTED: of two transactions that insert the same key, the second waits until the
-- first has ended, and inserts only if that rolled back.
INSERT INTO progress (partition, next, last_ballot, last_offset)
VALUES ($1, $2, $3, $4)
ON CONFLICT (partition) DO NOTHING
