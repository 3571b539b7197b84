-- The first $2 candidates by votes and then by name, and the version of it all. $1 is the least that
-- a leader has in some partition: see leaders_bar.sql. Fewer than $2 rows if that was too much.
--
-- Whoever has so many votes is of that magnitude at least; some who have fewer are, too, and are
-- sorted out by their sums. The sum in a subquery of its own keeps the planner from joining with all
-- totals.
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
