-- The fold of the log: the counted ballots, the progress, and the rejections.
--
-- A position is one number: partition * 2^48 + offset. Texts are compared by their bytes.

-- The offset up to which each partition of the log was folded: the fence.
CREATE TABLE progress (
    partition   INTEGER PRIMARY KEY CHECK (partition BETWEEN 0 AND 32767),
    -- The offset of the first record that was not applied.
    next        INTEGER NOT NULL CHECK (next >= 0),
    -- The last ballot before it. A log that has another ballot at this offset is another log.
    last_ballot BLOB,
    last_offset INTEGER CHECK (last_offset >= 0 AND last_offset < next),
    CHECK ((last_ballot IS NULL) = (last_offset IS NULL))
) STRICT;

-- Each counted ballot, once, in the order of counting. Its position is the first one in the log.
CREATE TABLE ballots (
    number   INTEGER PRIMARY KEY,
    id       BLOB    NOT NULL,
    position INTEGER NOT NULL,
    -- docs/record.proto, the message Ballot: without the id, and without the trace
    content  BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX ballots_by_id ON ballots (id);

-- The number of each candidate, which never changes, and the votes of all partitions. A sum beyond the
-- largest number stays at it.
CREATE TABLE candidates (
    number   INTEGER PRIMARY KEY,
    username TEXT    NOT NULL UNIQUE,
    votes    INTEGER NOT NULL CHECK (votes >= 0)
) STRICT;

CREATE INDEX candidates_by_votes ON candidates (votes DESC, username);

-- The votes of each candidate in each partition.
CREATE TABLE totals (
    candidate INTEGER NOT NULL REFERENCES candidates,
    partition INTEGER NOT NULL,
    votes     INTEGER NOT NULL CHECK (votes > 0),
    -- The end of the step that changed it last.
    as_of     INTEGER NOT NULL CHECK (as_of > 0),
    PRIMARY KEY (candidate, partition)
) STRICT, WITHOUT ROWID;

-- Ballots and records that could not be counted, in the order of the log, with enough to repair them by
-- hand: a ballot as in `ballots`, or the bytes of an undecodable record.
CREATE TABLE rejected (
    number      INTEGER PRIMARY KEY,
    position    INTEGER NOT NULL,
    ballot_id   BLOB,
    ballot      BLOB,
    bytes       BLOB,
    reason      TEXT    NOT NULL,
    -- Unix time in milliseconds.
    rejected_at INTEGER NOT NULL,
    CHECK ((ballot IS NULL) <> (bytes IS NULL)),
    CHECK ((ballot_id IS NULL) = (ballot IS NULL))
) STRICT;

CREATE INDEX rejected_by_ballot ON rejected (ballot_id) WHERE ballot_id IS NOT NULL;

-- The results: `SELECT * FROM votes`. `version` grows whenever `count` does.
CREATE VIEW votes AS
SELECT candidates.number AS id,
       candidates.username,
       candidates.votes AS count,
       (SELECT sum(as_of) FROM totals WHERE candidate = candidates.number) AS version
FROM candidates;
