-- The fold of the log: the counted ballots, the progress, and the rejections.
--
-- Names are compared by their bytes (COLLATE "C"): the order is the same on every server, whatever
-- its locale, and an index stays valid when the rules of the locale change.

-- The offset up to which each partition of the log was folded. A consumer's transaction begins by moving
-- `next`, and only from the start of its step: that is the fence.
CREATE TABLE progress (
    partition   bigint      PRIMARY KEY CHECK (partition BETWEEN 0 AND 4294967295),
    -- The offset of the first record that was not applied.
    next        bigint      NOT NULL CHECK (next >= 0),
    -- The last ballot before it. A log that has another ballot at this offset is another log.
    last_ballot uuid,
    last_offset bigint      CHECK (last_offset >= 0 AND last_offset < next),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CHECK ((last_ballot IS NULL) = (last_offset IS NULL))
) WITH (fillfactor = 50); -- updated often: a new version of a row fits into the same page (HOT)

-- Each counted ballot, once. Its position is the first one in the log.
CREATE TABLE ballots (
    id               uuid        PRIMARY KEY,
    log_offset       bigint      NOT NULL CHECK (log_offset >= 0),
    partition        bigint      NOT NULL CHECK (partition BETWEEN 0 AND 4294967295),
    ticket_issued_at timestamptz NOT NULL,
    ticket_key       smallint    NOT NULL CHECK (ticket_key BETWEEN 0 AND 255),
    voter            text        COLLATE "C",
    -- The selections in the voter's order: candidates[i] gets votes[i]. A name may occur more than once.
    candidates       text[]      COLLATE "C" NOT NULL,
    votes            bigint[]    NOT NULL,
    CHECK (cardinality(candidates) BETWEEN 1 AND 16),
    CHECK (cardinality(votes) = cardinality(candidates)),
    CHECK (array_position(candidates, NULL) IS NULL),
    CHECK ((1 <= ALL (votes)) IS TRUE) -- a NULL among them is not true either
);

-- The votes of each candidate in each partition. Consumers of different partitions never wait for each
-- other's rows.
CREATE TABLE totals (
    candidate text   COLLATE "C" NOT NULL,
    partition bigint NOT NULL CHECK (partition BETWEEN 0 AND 4294967295),
    votes     bigint NOT NULL CHECK (votes > 0),
    -- The end of the step that changed it last. Later steps of the partition did not change it.
    as_of     bigint NOT NULL CHECK (as_of > 0),
    -- The votes on a logarithmic scale: it grows by one when they grow by a sixteenth. The leaders are
    -- found by it, because an index of the votes themselves would be updated with each step.
    magnitude smallint NOT NULL GENERATED ALWAYS AS (floor(16 * ln(greatest(votes, 1)::double precision))) STORED,
    PRIMARY KEY (candidate, partition)
) WITH (fillfactor = 50); -- as progress

CREATE INDEX totals_by_magnitude ON totals (magnitude);

-- The id of each name in the view `votes`. It never changes.
CREATE TABLE candidates (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username text   COLLATE "C" NOT NULL UNIQUE
);

-- Ballots and records that could not be counted, in the order of the log, with enough to repair them
-- by hand: a ballot as JSON, or the bytes of an undecodable record.
CREATE TABLE rejected (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition   bigint      NOT NULL CHECK (partition BETWEEN 0 AND 4294967295),
    log_offset  bigint      NOT NULL CHECK (log_offset >= 0),
    ballot_id   uuid,
    ballot      jsonb,
    bytes       bytea,
    reason      text        NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((ballot IS NULL) <> (bytes IS NULL)),
    CHECK ((ballot_id IS NULL) = (ballot IS NULL))
);

CREATE INDEX rejected_by_ballot ON rejected (ballot_id) WHERE ballot_id IS NOT NULL;

-- The results: `SELECT * FROM votes`.
--
-- It is a view, because a table with one row per candidate would make the consumers of all partitions
-- wait for each other's transactions. `version` grows whenever `count` does. A sum beyond a bigint (of
-- totals that each fit) shows as the largest bigint instead of failing.
CREATE VIEW votes AS
SELECT candidates.id,
       candidates.username,
       least(sum(totals.votes), 9223372036854775807)::bigint AS count,
       least(sum(totals.as_of), 9223372036854775807)::bigint AS version
FROM candidates
JOIN totals ON totals.candidate = candidates.username
GROUP BY candidates.id, candidates.username;
