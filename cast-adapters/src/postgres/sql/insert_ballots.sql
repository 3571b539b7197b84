-- Inserts the ballots of a step that known_ballots.sql did not find, or fails.
--
-- $1 partition; $2 to $8 are arrays with an element for each ballot: however many there are, it is
-- one statement with eight values. $7 and $8 hold arrays themselves, as text: nested arrays of
-- different lengths have no binary form.
--
-- Safe at READ COMMITTED: the unique index alone decides which ballot is new. If the transaction of
-- another partition is inserting the same id, this one waits until that has ended, and fails with
-- unique_violation if it committed; then the whole step is applied again, and finds the ballot. The
-- rows are sorted by id, and a function scan returns them in order, so two such transactions cannot
-- deadlock.
INSERT INTO ballots (id, partition, log_offset, ticket_key, ticket_issued_at, voter, candidates, votes)
SELECT id, $1, log_offset, ticket_key, ticket_issued_at, voter, candidates::text[], votes::bigint[]
FROM unnest($2::uuid[], $3::bigint[], $4::smallint[], $5::timestamptz[], $6::text[], $7::text[], $8::text[])
    AS step (id, log_offset, ticket_key, ticket_issued_at, voter, candidates, votes)
