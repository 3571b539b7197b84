-- Counts all ballots again, by candidate and partition, and returns the stored totals beside the
-- counts. A row without a candidate is the progress of a partition.
--
-- One statement, so one snapshot: a step that is applied meanwhile is seen as a whole or not at all.
--
-- The votes are summed from the ballots alone. The totals are those of the view `votes`, which does
-- not show a total whose candidate has no id.
WITH counted AS (
    SELECT selection.candidate, ballots.partition, sum(selection.votes) AS votes
    FROM ballots
    CROSS JOIN unnest(ballots.candidates, ballots.votes) AS selection (candidate, votes)
    GROUP BY selection.candidate, ballots.partition
), shown AS (
    SELECT totals.candidate, totals.partition, totals.votes
    FROM totals
    JOIN candidates ON candidates.username = totals.candidate
)
SELECT candidate, partition,
       least(coalesce(counted.votes, 0), 9223372036854775807)::bigint,
       coalesce(shown.votes, 0)
FROM counted
FULL JOIN shown USING (candidate, partition)
UNION ALL
SELECT NULL, partition, next, 0 FROM progress
