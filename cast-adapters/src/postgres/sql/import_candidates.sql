-- Gives numbers to candidates that have none; a number that is taken is left out, and the candidate gets
-- one when it is first folded. $1 numbers; $2 candidates.
INSERT INTO candidates (id, username) OVERRIDING SYSTEM VALUE
SELECT number, username FROM unnest($1::bigint[], $2::text[]) AS moved (number, username)
ON CONFLICT DO NOTHING
