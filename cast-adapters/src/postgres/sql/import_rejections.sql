-- Inserts rejections of another log, each once. $1 to $7 are arrays with an element for each: partition,
-- offset, ballot id, ballot (JSON as text), bytes, reason, time.
INSERT INTO rejected (partition, log_offset, ballot_id, ballot, bytes, reason, rejected_at)
SELECT partition, log_offset, ballot_id, ballot::jsonb, bytes, reason, rejected_at
FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::text[], $5::bytea[], $6::text[], $7::timestamptz[])
    AS moved (partition, log_offset, ballot_id, ballot, bytes, reason, rejected_at)
WHERE NOT EXISTS (
    SELECT FROM rejected
    WHERE rejected.partition = moved.partition
      AND rejected.log_offset = moved.log_offset
      AND rejected.ballot_id IS NOT DISTINCT FROM moved.ballot_id
      AND rejected.rejected_at = moved.rejected_at
)
