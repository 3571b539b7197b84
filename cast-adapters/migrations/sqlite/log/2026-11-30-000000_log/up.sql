-- The log: records in their order, each with a checksum over it and the one before.

CREATE TABLE partitions (
    partition   INTEGER PRIMARY KEY CHECK (partition BETWEEN 0 AND 32767),
    -- The offset of the first record that is kept, and the checksum of the record before it.
    start       INTEGER NOT NULL CHECK (start >= 0),
    start_crc   INTEGER NOT NULL,
    -- The offset of the next record: it only grows. The checksum and the time of the last one.
    next        INTEGER NOT NULL CHECK (next >= start AND next < 281474976710656),
    crc         INTEGER NOT NULL,
    appended_at INTEGER NOT NULL
) STRICT;

CREATE TABLE records (
    -- partition * 2^48 + offset: one number, so that a record is one row of one tree.
    position    INTEGER PRIMARY KEY,
    -- Unix time in milliseconds; within a partition it never goes back.
    appended_at INTEGER NOT NULL,
    -- CRC-32C of the checksum of the record before, partition, offset, time and bytes.
    crc         INTEGER NOT NULL,
    -- docs/record.proto
    bytes       BLOB    NOT NULL
) STRICT;
