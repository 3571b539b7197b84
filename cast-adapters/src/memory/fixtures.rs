//! What the tests of the memory adapters share.

use std::time::Duration;

use async_trait::async_trait;
use cast_core::domain::{
    BallotId, Candidate, Clock, Entropy, KeyId, KeyRing, LogPosition, LoggedBallot, Offset,
    Partition, Partitions, PeriodTicket, Record, Selection, Selections, TicketStamp, Timestamp,
    Votes,
};
use parking_lot::Mutex;

/// A clock that stands still until it is moved: the wall clock and the monotonic one together.
pub(crate) struct ManualClock(Mutex<Duration>);

impl ManualClock {
    /// The wall clock's time when a test begins.
    pub(crate) const START: Timestamp = Timestamp::from_unix_ms(1_763_826_000_000);

    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Duration::ZERO))
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Self::START.plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock()
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}

/// The same byte again and again: a ticket of each `nonce` and time is another one.
pub(crate) struct SameByte(pub(crate) u8);

impl Entropy for SameByte {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

pub(crate) fn ring() -> KeyRing {
    KeyRing::new([(KeyId::new(1), [7; 32])]).expect("one key is a ring")
}

/// A ticket of 2 s from `valid_from` on.
pub(crate) fn period_ticket(valid_from: Timestamp, nonce: u8, use_limit: u32) -> PeriodTicket {
    PeriodTicket {
        ticket: *ring().issue(valid_from, &SameByte(nonce)).ticket(),
        valid_until: valid_from.plus(Duration::from_secs(2)),
        use_limit,
    }
}

pub(crate) fn id(number: u64) -> BallotId {
    format!("{:032x}", u128::from(number) + 1)
        .parse()
        .expect("neither nil nor max")
}

pub(crate) fn candidate(name: &str) -> Candidate {
    Candidate::new(name).expect("a name")
}

/// The ballot `number`, for one candidate.
pub(crate) fn ballot(number: u64, name: &str, votes: u32) -> LoggedBallot {
    let selection = Selection {
        candidate: candidate(name),
        votes: Votes::new(votes).expect("not zero"),
    };
    LoggedBallot {
        id: id(number),
        ticket: TicketStamp {
            key_id: KeyId::new(1),
            issued_at: ManualClock::START,
        },
        voter: None,
        selections: Selections::new(vec![selection]).expect("one selection"),
        trace: None,
    }
}

/// A record of ballots with these numbers, one vote for alice each.
pub(crate) fn record(partition: u32, numbers: impl IntoIterator<Item = u64>) -> Record {
    let ballots: Vec<_> = numbers.into_iter().map(|n| ballot(n, "alice", 1)).collect();
    Record::new(Partition::new(partition), ballots)
}

pub(crate) fn partitions(count: u32) -> Partitions {
    Partitions::new(count).expect("not zero")
}

pub(crate) const fn position(partition: u32, offset: u64) -> LogPosition {
    LogPosition {
        partition: Partition::new(partition),
        offset: Offset::new(offset),
    }
}
