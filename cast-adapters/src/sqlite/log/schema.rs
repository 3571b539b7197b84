//! The tables, and the one number that a position is in them.

use cast_core::domain::{Offset, Partition};
use diesel::{Insertable, Queryable, Selectable};

use crate::sqlite::error::Error;

diesel::table! {
    partitions (partition) {
        partition -> BigInt,
        start -> BigInt,
        start_crc -> BigInt,
        next -> BigInt,
        crc -> BigInt,
        appended_at -> BigInt,
    }
}

diesel::table! {
    records (position) {
        position -> BigInt,
        appended_at -> BigInt,
        crc -> BigInt,
        bytes -> Binary,
    }
}

/// A record, as it is stored.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = records)]
pub(super) struct Row {
    pub(super) position: i64,
    /// Unix time in milliseconds.
    pub(super) appended_at: i64,
    pub(super) crc: i64,
    pub(super) bytes: Vec<u8>,
}

/// Partitions of a log at most.
pub(super) const MAX_PARTITIONS: u32 = 1 << 15;

/// Records of a partition at most. At a million a second it takes nine years to write them.
const MAX_OFFSET: u64 = 1 << 48;

/// The number of a position; the positions of a partition are consecutive.
pub(super) fn number(partition: Partition, offset: Offset) -> Result<i64, Error> {
    let (partition, offset) = (partition.get(), offset.get());
    if partition >= MAX_PARTITIONS || offset >= MAX_OFFSET {
        return Err(Error::Unholdable(format!(
            "the position {partition}@{offset} is beyond the last one of this log"
        )));
    }
    let number = u64::from(partition) * MAX_OFFSET + offset;
    Ok(number.cast_signed())
}

/// The offset of a number.
pub(super) fn offset(number: i64) -> Offset {
    Offset::new(number.cast_unsigned() % MAX_OFFSET)
}

/// A count or an offset, as SQLite stores it.
pub(super) fn unsigned(what: &str, value: i64) -> Result<u64, Error> {
    u64::try_from(value).map_err(|_| Error::Damaged(format!("log.db has {what} of {value}")))
}
