//! A small world, in which things meet: few ballots, few candidates, few partitions.

use cast_core::domain::{BallotId, Candidate, LoggedBallot, Offset, Partition, Votes};
use cast_testkit::properties;
use proptest::prelude::*;
use uuid::Uuid;

pub(crate) const PARTITIONS: u32 = 2;
pub(crate) const BALLOTS: u128 = 10;

pub(crate) fn candidates() -> Vec<Candidate> {
    let names = ["a", "b", "c"];
    names
        .map(|name| Candidate::new(name).expect("a name"))
        .into()
}

pub(crate) fn candidate() -> impl Strategy<Value = Candidate> {
    prop::sample::select(candidates())
}

pub(crate) fn id(number: u128) -> BallotId {
    BallotId::new(Uuid::from_u128(number + 1)).expect("neither nil nor max")
}

pub(crate) fn partition() -> impl Strategy<Value = Partition> {
    (0..PARTITIONS).prop_map(Partition::new)
}

pub(crate) fn offset() -> impl Strategy<Value = Offset> {
    (0..8_u64).prop_map(Offset::new)
}

/// One of few ballots; of two with the same id, each says what it likes.
pub(crate) fn ballot() -> impl Strategy<Value = LoggedBallot> {
    let votes = (1..20_u32).prop_map(|votes| Votes::new(votes).expect("at least one"));
    properties::ballot_of((0..BALLOTS).prop_map(id), candidate(), votes)
}

/// A runtime for ports that never wait.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without I/O")
}
