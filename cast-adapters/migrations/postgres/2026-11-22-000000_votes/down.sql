DROP VIEW votes;
DROP TABLE rejected, candidates, totals, ballots, progress;
