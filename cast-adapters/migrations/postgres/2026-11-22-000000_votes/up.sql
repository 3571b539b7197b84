-- The fold of the log: what was counted, how far, and what could not be.
--
-- Names are compared by their bytes (COLLATE "C"): the order is the same on every server, whatever
-- its locale, and an index does not break when the locale's rules change beneath it.

-- How far each partition of the log was folded. A consumer's transaction begins with moving `next`,
-- and only from where its step starts: that is the fence.
CREATE TABLE progress (
    partition   bigint      PRIMARY KEY CHECK (partition BETWEEN 0 AND 4294967295),
    -- The first record that was not applied.
    next        bigint      NOT NULL CHECK (next >= 0),
    -- The last ballot before it. Where the log at that place has another one, it is another log.
    last_ballot uuid,
    last_offset bigint      CHECK (last_offset >= 0 AND last_offset < next),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CHECK ((last_ballot IS NULL) = (last_offset IS NULL))
) WITH (fillfactor = 50); -- updated all the time: each new version of a row finds room in its page

-- Each ballot that was counted, once. Its position is the first that the log has it at.
CREATE TABLE ballots (
    id               uuid        PRIMARY KEY,
    log_offset       bigint      NOT NULL CHECK (log_offset >= 0),
    partition        bigint      NOT NULL CHECK (partition BETWEEN 0 AND 4294967295),
    ticket_issued_at timestamptz NOT NULL,
    ticket_key       smallint    NOT NULL CHECK (ticket_key BETWEEN 0 AND 255),
    voter            text        COLLATE "C",
    -- The selections in the voter's order, side by side: candidates[i] is given votes[i]. A name
    -- may stand there more than once.
    candidates       text[]      COLLATE "C" NOT NULL,
    votes            bigint[]    NOT NULL,
    CHECK (cardinality(candidates) BETWEEN 1 AND 16),
    CHECK (cardinality(votes) = cardinality(candidates)),
    CHECK (array_position(candidates, NULL) IS NULL),
    CHECK ((1 <= ALL (votes)) IS TRUE) -- a NULL among them is not true either
);

-- What each candidate got in each partition. Consumers of different partitions never wait for each
-- other here.
CREATE TABLE totals (
    candidate text   COLLATE "C" NOT NULL,
    partition bigint NOT NULL CHECK (partition BETWEEN 0 AND 4294967295),
    votes     bigint NOT NULL CHECK (votes > 0),
    -- The end of the step that changed it last; what followed in the partition left it alone.
    as_of     bigint NOT NULL CHECK (as_of > 0),
    -- The votes, roughly: it grows by one where they grow by a sixteenth. The leaders are found by
    -- it, because an index of the votes themselves would have to be changed with each step.
    magnitude smallint NOT NULL GENERATED ALWAYS AS (floor(16 * ln(greatest(votes, 1)::double precision))) STORED,
    PRIMARY KEY (candidate, partition)
) WITH (fillfactor = 50); -- as progress

CREATE INDEX totals_by_magnitude ON totals (magnitude);

-- A number for each name, for whoever asks for `votes.id`. It never changes.
CREATE TABLE candidates (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username text   COLLATE "C" NOT NULL UNIQUE
);

-- What could not be read or counted, in the order in which it was met, with enough to repair it by
-- hand: a ballot as JSON, or the bytes of a record that is none.
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

-- The table that people look at: `SELECT * FROM votes`.
--
-- A view, because one row a candidate would make the consumers of all partitions wait for each
-- other's transactions. `version` grows whenever `count` does. A sum beyond a bigint (of partitions
-- that each fit) shows as the largest one instead of failing.
CREATE VIEW votes AS
SELECT candidates.id,
       candidates.username,
       least(sum(totals.votes), 9223372036854775807)::bigint AS count,
       least(sum(totals.as_of), 9223372036854775807)::bigint AS version
FROM candidates
JOIN totals ON totals.candidate = candidates.username
GROUP BY candidates.id, candidates.username;
