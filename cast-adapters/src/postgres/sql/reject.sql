-- Inserts rejected records and ballots, in the log's order.
--
-- $1 partition; $2 to $6 are arrays with an element for each rejection: offset, ballot id, ballot
-- (JSON as text), bytes, reason.
INSERT INTO rejected (partition, log_offset, ballot_id, ballot, bytes, reason)
SELECT $1, log_offset, ballot_id, ballot::jsonb, bytes, reason
FROM unnest($2::bigint[], $3::uuid[], $4::text[], $5::bytea[], $6::text[])
    AS step (log_offset, ballot_id, ballot, bytes, reason)
