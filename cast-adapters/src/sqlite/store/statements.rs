//! The statements of a step.

use diesel::sql_types::{BigInt, Binary, Text};

use crate::sqlite::statement::statement;

statement! {
    /// Inserts a ballot if its id is new.
    InsertBallot(
        id: Vec<u8> => Binary,
        position: i64 => BigInt,
        content: Vec<u8> => Binary
    ) -> (), "insert_ballot.sql"
}

statement! {
    /// A candidate: number, votes.
    FindCandidate(username: String => Text) -> (BigInt, BigInt), "candidate.sql"
}

statement! {
    /// A total.
    Total(candidate: i64 => BigInt, partition: i64 => BigInt) -> BigInt, "total.sql"
}

statement! {
    /// Sets a total.
    PutTotal(
        candidate: i64 => BigInt,
        partition: i64 => BigInt,
        votes: i64 => BigInt,
        as_of: i64 => BigInt
    ) -> (), "put_total.sql"
}

statement! {
    /// Sets the votes of a candidate in all partitions.
    PutVotes(votes: i64 => BigInt, number: i64 => BigInt) -> (), "put_votes.sql"
}
