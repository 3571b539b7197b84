//! The tables.

use diesel::{Queryable, Selectable};

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
#[derive(Queryable, Selectable)]
#[diesel(table_name = records)]
pub(super) struct Row {
    pub(super) position: i64,
    /// Unix time in milliseconds.
    pub(super) appended_at: i64,
    pub(super) crc: i64,
    pub(super) bytes: Vec<u8>,
}
