-- The first $2 candidates by votes and then by name, and the version of the whole. $1 is a lower bound
-- for the largest total of a leader: see leaders_bar.sql. Fewer than $2 rows if it was too high.
--
-- A total of at least $1 votes has at least that magnitude. Totals with slightly fewer votes may have
-- the same magnitude; the sums sort them out. The sum in a subquery of its own keeps the planner from
-- joining with all totals.
WITH contenders AS (
    SELECT DISTINCT candidate FROM totals
    WHERE magnitude >= floor(16 * ln($1::bigint::double precision))::smallint
), sums AS MATERIALIZED (
    SELECT candidate,
           (SELECT sum(totals.votes) FROM totals WHERE totals.candidate = contenders.candidate) AS votes
    FROM contenders
)
SELECT candidate,
       least(sums.votes, 9223372036854775807)::bigint,
       (SELECT least(sum(next), 9223372036854775807)::bigint FROM progress)
FROM sums
ORDER BY sums.votes DESC, candidate
LIMIT $2
