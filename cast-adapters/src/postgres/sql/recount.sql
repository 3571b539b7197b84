-- Counts all ballots again, by candidate and partition, and tells the totals and the progress beside
-- that. A row without a candidate is a partition's progress.
--
-- One statement, so one snapshot: whoever folds meanwhile is seen in all of it or in none.
--
-- The votes are added up from the ballots, and nothing else is looked at for them. A total is what
-- people see: one whose candidate has no number is not in the view `votes`, and tells nothing.
WITH counted AS (
    SELECT selection.candidate, ballots.partition, sum(selection.votes) AS votes
    FROM ballots
    CROSS JOIN unnest(ballots.candidates, ballots.votes) AS selection (candidate, votes)
    GROUP BY selection.candidate, ballots.partition
), told AS (
    SELECT totals.candidate, totals.partition, totals.votes
    FROM totals
    JOIN candidates ON candidates.username = totals.candidate
)
SELECT candidate, partition,
       least(coalesce(counted.votes, 0), 9223372036854775807)::bigint,
       coalesce(told.votes, 0)
FROM counted
FULL JOIN told USING (candidate, partition)
UNION ALL
SELECT NULL, partition, next, 0 FROM progress
