-- The first $1 of all candidates by votes and then by name, and the version of the whole. It sums every
-- total: no index helps where the leaders have as few votes as the others.
SELECT candidate,
       least(sum(votes), 9223372036854775807)::bigint,
       (SELECT least(sum(next), 9223372036854775807)::bigint FROM progress)
FROM totals
GROUP BY candidate
ORDER BY sum(votes) DESC, candidate
LIMIT $1
