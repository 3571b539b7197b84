-- Where a ballot is, and why it was rejected if it was not counted. $1 ballot id.
--
-- Counted beats rejected; of several rejections the first in the log tells.
SELECT partition, log_offset, reason
FROM (
    SELECT 0 AS place, partition, log_offset, NULL AS reason FROM ballots WHERE id = $1
    UNION ALL
    SELECT id, partition, log_offset, reason FROM rejected WHERE ballot_id = $1
) AS fates
ORDER BY place
LIMIT 1
