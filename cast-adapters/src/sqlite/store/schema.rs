//! The tables.

use diesel::{Insertable, Queryable};

diesel::table! {
    progress (partition) {
        partition -> BigInt,
        next -> BigInt,
        last_ballot -> Nullable<Binary>,
        last_offset -> Nullable<BigInt>,
    }
}

diesel::table! {
    ballots (number) {
        number -> BigInt,
        id -> Binary,
        position -> BigInt,
        content -> Binary,
    }
}

diesel::table! {
    candidates (number) {
        number -> BigInt,
        username -> Text,
        votes -> BigInt,
    }
}

diesel::table! {
    totals (candidate, partition) {
        candidate -> BigInt,
        partition -> BigInt,
        votes -> BigInt,
        as_of -> BigInt,
    }
}

diesel::table! {
    rejected (number) {
        number -> BigInt,
        position -> BigInt,
        ballot_id -> Nullable<Binary>,
        ballot -> Nullable<Binary>,
        bytes -> Nullable<Binary>,
        reason -> Text,
        rejected_at -> BigInt,
    }
}

diesel::joinable!(totals -> candidates (candidate));
diesel::allow_tables_to_appear_in_same_query!(candidates, totals);

/// A partition's progress.
#[derive(Clone, Insertable, Queryable)]
#[diesel(table_name = progress)]
pub(super) struct ProgressRow {
    pub(super) partition: i64,
    pub(super) next: i64,
    pub(super) last_ballot: Option<Vec<u8>>,
    pub(super) last_offset: Option<i64>,
}

/// Something that was rejected.
#[derive(Clone, Insertable)]
#[diesel(table_name = rejected)]
pub(super) struct RejectedRow {
    pub(super) position: i64,
    pub(super) ballot_id: Option<Vec<u8>>,
    pub(super) ballot: Option<Vec<u8>>,
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) reason: String,
    pub(super) rejected_at: i64,
}
