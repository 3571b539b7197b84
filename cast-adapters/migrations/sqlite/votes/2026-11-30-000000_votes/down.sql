DROP VIEW votes;
DROP TABLE rejected;
DROP TABLE totals;
DROP TABLE candidates;
DROP TABLE ballots;
DROP TABLE progress;
