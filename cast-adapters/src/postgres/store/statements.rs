//! The statements of the store: parameters, types of the answer, and the SQL file.

use diesel::{
    pg::data_types::PgTimestamp,
    sql_types::{Array, BigInt, Binary, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::postgres::statement::statement;

statement! {
    /// The fence.
    Advance(
        next: i64 => BigInt,
        last_ballot: Option<Uuid> => Nullable<SqlUuid>,
        last_offset: Option<i64> => Nullable<BigInt>,
        partition: i64 => BigInt,
        start: i64 => BigInt
    ) -> (), "advance.sql"
}

statement! {
    /// The first progress of a partition.
    Begin(
        partition: i64 => BigInt,
        next: i64 => BigInt,
        last_ballot: Option<Uuid> => Nullable<SqlUuid>,
        last_offset: Option<i64> => Nullable<BigInt>
    ) -> (), "begin.sql"
}

statement! {
    /// The progress of a partition: next, last ballot, its offset.
    Progress(
        partition: i64 => BigInt
    ) -> (BigInt, Nullable<SqlUuid>, Nullable<BigInt>), "progress.sql"
}

statement! {
    /// The ballots among these that were counted already.
    KnownBallots(ids: Vec<Uuid> => Array<SqlUuid>) -> Array<SqlUuid>, "known_ballots.sql"
}

statement! {
    /// Inserts ballots that are new.
    InsertBallots(
        partition: i64 => BigInt,
        ids: Vec<Uuid> => Array<SqlUuid>,
        offsets: Vec<i64> => Array<BigInt>,
        ticket_keys: Vec<i16> => Array<SmallInt>,
        tickets_issued_at: Vec<PgTimestamp> => Array<Timestamptz>,
        voters: Vec<Option<String>> => Array<Nullable<Text>>,
        candidates: Vec<String> => Array<Text>,
        votes: Vec<String> => Array<Text>
    ) -> (), "insert_ballots.sql"
}

statement! {
    /// Adds votes, and returns the new totals.
    AddVotes(
        partition: i64 => BigInt,
        next: i64 => BigInt,
        candidates: Vec<String> => Array<Text>,
        votes: Vec<i64> => Array<BigInt>
    ) -> (Array<Text>, Array<BigInt>), "add_votes.sql"
}

statement! {
    /// Gives ids to candidates.
    NameCandidates(candidates: Vec<String> => Array<Text>) -> (), "name_candidates.sql"
}

statement! {
    /// The totals of some candidates in a partition.
    Totals(
        partition: i64 => BigInt,
        candidates: Vec<String> => Array<Text>
    ) -> (Text, BigInt), "totals.sql"
}

statement! {
    /// Inserts rejected records and ballots.
    Reject(
        partition: i64 => BigInt,
        offsets: Vec<i64> => Array<BigInt>,
        ballot_ids: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        ballots: Vec<Option<String>> => Array<Nullable<Text>>,
        bytes: Vec<Option<Vec<u8>>> => Array<Nullable<Binary>>,
        reasons: Vec<String> => Array<Text>
    ) -> (), "reject.sql"
}

statement! {
    /// The totals of candidates: index, partition, votes, progress.
    Tallies(
        candidates: Vec<String> => Array<Text>
    ) -> (BigInt, BigInt, BigInt, BigInt), "tallies.sql"
}

statement! {
    /// A lower bound for the largest total of a leader.
    LeadersBar(first: i64 => BigInt) -> BigInt, "leaders_bar.sql"
}

statement! {
    /// The leaders: name, votes, version.
    Leaders(bar: i64 => BigInt, first: i64 => BigInt) -> (Text, BigInt, BigInt), "leaders.sql"
}

statement! {
    /// The leaders, found without the index.
    LeadersOfAll(first: i64 => BigInt) -> (Text, BigInt, BigInt), "leaders_of_all.sql"
}

statement! {
    /// A ballot's fate: partition, offset, reason.
    Ballot(id: Uuid => SqlUuid) -> (BigInt, BigInt, Nullable<Text>), "ballot.sql"
}

statement! {
    /// Every candidate's votes, from the ballots: candidate, partition, votes, total.
    Recount() -> (Nullable<Text>, BigInt, BigInt, BigInt), "recount.sql"
}

statement! {
    /// Counted ballots, with their contents.
    StoredBallots(
        ids: Vec<Uuid> => Array<SqlUuid>
    ) -> (SqlUuid, BigInt, BigInt, SmallInt, Timestamptz, Nullable<Text>, Array<Text>, Array<BigInt>),
    "stored_ballots.sql"
}

statement! {
    /// Ballots that were rejected: id, partition, offset.
    RejectedBallots(
        ids: Vec<Uuid> => Array<SqlUuid>
    ) -> (SqlUuid, BigInt, BigInt), "rejected_ballots.sql"
}

statement! {
    /// Gives numbers to candidates.
    ImportCandidates(
        numbers: Vec<i64> => Array<BigInt>,
        candidates: Vec<String> => Array<Text>
    ) -> (), "import_candidates.sql"
}

statement! {
    /// Numbers the next candidates after those that were imported.
    NumberAfter() -> BigInt, "number_after.sql"
}

statement! {
    /// Inserts rejections of another log.
    ImportRejections(
        partitions: Vec<i64> => Array<BigInt>,
        offsets: Vec<i64> => Array<BigInt>,
        ballot_ids: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        ballots: Vec<Option<String>> => Array<Nullable<Text>>,
        bytes: Vec<Option<Vec<u8>>> => Array<Nullable<Binary>>,
        reasons: Vec<String> => Array<Text>,
        rejected_at: Vec<PgTimestamp> => Array<Timestamptz>
    ) -> (), "import_rejections.sql"
}
