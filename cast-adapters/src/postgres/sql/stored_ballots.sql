-- Counted ballots, with their contents. $1 their ids.
SELECT id, partition, log_offset, ticket_key, ticket_issued_at, voter, candidates, votes
FROM ballots
WHERE id = ANY ($1)
