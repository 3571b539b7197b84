-- A number of votes that each of the first $1 candidates has at least, and how many votes somebody
-- with as many must have in one partition at least.
--
-- The $1 * partitions largest totals belong to $1 candidates or more, if there are so many: each has
-- one total a partition. The $1th of their sums is the bar: whoever is below it is behind $1 others.
-- Who is not below it has at least the bar's share of a partition in one of them.
--
-- Only the end of the index of totals by votes is read, and a few rows by key. Votes only grow, so
-- the bar stays right for the statement that follows.
WITH folded AS (
    SELECT greatest(count(*), 1) AS partitions FROM progress
), front AS (
    SELECT DISTINCT candidate
    FROM (SELECT candidate FROM totals ORDER BY votes DESC LIMIT $1 * (SELECT partitions FROM folded)) AS largest
), best AS (
    SELECT sum(totals.votes) AS votes
    FROM front JOIN totals USING (candidate)
    GROUP BY candidate ORDER BY votes DESC LIMIT $1
)
SELECT CASE WHEN count(*) = $1
       THEN least(ceil(min(best.votes) / (SELECT partitions FROM folded)), 9223372036854775807)::bigint
       ELSE 0 END
FROM best
