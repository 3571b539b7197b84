-- Counts all ballots again. Nothing but the ballots is looked at.
SELECT selection.candidate, sum(selection.votes)::bigint
FROM ballots
CROSS JOIN unnest(ballots.candidates, ballots.votes) AS selection (candidate, votes)
GROUP BY selection.candidate
ORDER BY selection.candidate
