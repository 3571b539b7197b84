-- The first $2 candidates by votes and then by name, and the version of it all. $1 is the least that
-- a leader has in some partition: see leaders_bar.sql.
WITH contenders AS (
    SELECT DISTINCT candidate FROM totals WHERE votes >= $1
)
SELECT candidate,
       least(sum(totals.votes), 9223372036854775807)::bigint,
       (SELECT least(sum(next), 9223372036854775807)::bigint FROM progress)
FROM contenders JOIN totals USING (candidate)
GROUP BY candidate
ORDER BY sum(totals.votes) DESC, candidate
LIMIT $2
