-- Inserts those ballots of a step whose ids are new, and tells their ids.
--
-- $1 partition; $2 to $8 are arrays with an element for each ballot: however many there are, it is
-- one statement with eight values. $7 and $8 hold arrays themselves, as text: nested arrays of
-- different lengths have no binary form.
--
-- Safe at READ COMMITTED: the unique index alone decides who is new, and ON CONFLICT DO NOTHING asks
-- it, not the snapshot. Where the same id is being inserted by another partition's transaction, this
-- one waits until that has ended, and counts the ballot only if that rolled back. The rows come
-- sorted by id, and a scan of a function inserts them as they come, so that two such transactions
-- wait for each other in one direction only.
WITH new AS (
    INSERT INTO ballots (id, partition, log_offset, ticket_key, ticket_issued_at, voter, candidates, votes)
    SELECT id, $1, log_offset, ticket_key, ticket_issued_at, voter, candidates::text[], votes::bigint[]
    FROM unnest($2::uuid[], $3::bigint[], $4::smallint[], $5::timestamptz[], $6::text[], $7::text[], $8::text[])
        AS step (id, log_offset, ticket_key, ticket_issued_at, voter, candidates, votes)
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
SELECT coalesce(array_agg(id), '{}') FROM new
