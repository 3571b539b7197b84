-- The position of a ballot in the log, and the reason if it was rejected. $1 ballot id.
--
-- A counted ballot takes precedence over a rejected one, and the first rejection over later ones.
SELECT partition, log_offset, reason
FROM (
    SELECT 0 AS precedence, partition, log_offset, NULL AS reason FROM ballots WHERE id = $1
    UNION ALL
    SELECT id, partition, log_offset, reason FROM rejected WHERE ballot_id = $1
) AS fates
ORDER BY precedence
LIMIT 1
