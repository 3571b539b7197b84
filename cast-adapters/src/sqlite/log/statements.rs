//! The statements of an append.

use diesel::sql_types::{BigInt, Binary};

use crate::sqlite::statement::statement;

statement! {
    /// The end of a partition: next offset, checksum, time.
    PartitionEnd(partition: i64 => BigInt) -> (BigInt, BigInt, BigInt), "partition_end.sql"
}

statement! {
    /// Appends a record.
    InsertRecord(
        position: i64 => BigInt,
        appended_at: i64 => BigInt,
        crc: i64 => BigInt,
        bytes: Vec<u8> => Binary
    ) -> (), "insert_record.sql"
}

statement! {
    /// Moves the end of a partition.
    AdvancePartition(
        next: i64 => BigInt,
        crc: i64 => BigInt,
        appended_at: i64 => BigInt,
        partition: i64 => BigInt
    ) -> (), "advance_partition.sql"
}
