-- Inserts the ballots of a step that were not known a moment ago, or fails.
--
-- $1 partition; $2 to $8 are arrays with an element for each ballot: however many there are, it is
-- one statement with eight values. $7 and $8 hold arrays themselves, as text: nested arrays of
-- different lengths have no binary form.
--
-- Safe at READ COMMITTED: the unique index alone decides who is new. Where the same id is being
-- inserted by another partition's transaction, this one waits until that has ended, and fails if
-- that committed (unique_violation): then the whole step is done again, and knows the ballot. The
-- rows come sorted by id, and a scan of a function inserts them as they come, so that two such
-- transactions wait for each other in one direction only.
INSERT INTO ballots (id, partition, log_offset, ticket_key, ticket_issued_at, voter, candidates, votes)
SELECT id, $1, log_offset, ticket_key, ticket_issued_at, voter, candidates::text[], votes::bigint[]
FROM unnest($2::uuid[], $3::bigint[], $4::smallint[], $5::timestamptz[], $6::text[], $7::text[], $8::text[])
    AS step (id, log_offset, ticket_key, ticket_issued_at, voter, candidates, votes)
