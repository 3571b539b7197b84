-- A lower bound for the largest total, over the partitions, of each of the first $1 candidates.
--
-- $1 * partitions totals belong to at least $1 candidates, because each candidate has one total a
-- partition. Of the candidates with the largest totals, the $1th sum is the bar: a candidate below it
-- is behind $1 others. A candidate that is not below it has at least bar / partitions votes in one of
-- its partitions.
--
-- Only the end of the index of totals by magnitude is read, and then a few candidates by key: the
-- sum in a subquery of its own keeps the planner from joining with all totals. A magnitude is
-- rounded, which makes the bar a little lower, and it stays a lower bound. Votes only grow, so it is
-- still one for the next statement.
WITH folded AS (
    SELECT greatest(count(*), 1) AS partitions FROM progress
), front AS (
    SELECT DISTINCT candidate
    FROM (SELECT candidate FROM totals ORDER BY magnitude DESC LIMIT $1 * (SELECT partitions FROM folded)) AS largest
), best AS (
    SELECT (SELECT sum(totals.votes) FROM totals WHERE totals.candidate = front.candidate) AS votes
    FROM front ORDER BY votes DESC LIMIT $1
)
SELECT CASE WHEN count(*) = $1
       THEN least(ceil(min(best.votes) / (SELECT partitions FROM folded)), 9223372036854775807)::bigint
       ELSE 0 END
FROM best
