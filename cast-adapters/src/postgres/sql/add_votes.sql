-- Adds votes to the totals of a partition, and returns the new totals. A candidate that is missing in
-- the answer would exceed the largest bigint.
--
-- $1 partition, $2 the end of the step, $3 candidates, $4 their votes (at least 1 each).
--
-- Safe at READ COMMITTED: every transaction that writes totals of this partition holds the lock of its
-- progress row.
WITH moved AS (
    INSERT INTO totals AS total (candidate, partition, votes, as_of)
    SELECT candidate, $1, votes, $2
    FROM unnest($3::text[], $4::bigint[]) AS added (candidate, votes)
    ON CONFLICT (candidate, partition) DO UPDATE
    SET votes = total.votes + EXCLUDED.votes, as_of = EXCLUDED.as_of
    WHERE total.votes <= 9223372036854775807 - EXCLUDED.votes
    RETURNING candidate, votes
)
SELECT coalesce(array_agg(candidate), '{}'), coalesce(array_agg(votes), '{}') FROM moved
