-- How many votes somebody has in some partition at least who has as many as each of the first $1
-- candidates.
--
-- $1 * partitions totals belong to $1 candidates or more, if there are so many: each has one total a
-- partition. Of those with the largest totals, the $1th sum is the bar: whoever is below it is
-- behind $1 others. Who is not below it has at least the bar's share of a partition in one of them.
--
-- Only the end of the index of totals by magnitude is read, and then a few candidates by key: the
-- sum in a subquery of its own keeps the planner from joining with all totals. That a magnitude is
-- a rough one makes the bar a little lower, and no less right. Votes only grow, so it stays right
-- for the statement that follows.
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
