-- Gives an id to each candidate that has none. $1 candidates.
--
-- Safe at READ COMMITTED: the unique index decides, as for ballots; the names come sorted. A
-- transaction runs this after its ballots and its totals, always in that order.
INSERT INTO candidates (username)
SELECT username FROM unnest($1::text[]) AS new (username)
ON CONFLICT (username) DO NOTHING
