-- The first log position of each of these ballots that was rejected. $1 their ids.
SELECT DISTINCT ON (ballot_id) ballot_id, partition, log_offset
FROM rejected
WHERE ballot_id = ANY ($1)
ORDER BY ballot_id, id
