-- Sets a total. $1 candidate; $2 partition; $3 votes; $4 end of the step.
INSERT INTO totals (candidate, partition, votes, as_of) VALUES ($1, $2, $3, $4)
ON CONFLICT (candidate, partition) DO UPDATE SET votes = excluded.votes, as_of = excluded.as_of
