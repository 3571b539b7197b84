//! Tickets, ballots, records and candidates with random names, so that tests can share a server.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cast_core::{
    domain::{
        self, BallotId, Candidate, Claim, FoldStep, GenuineTicket, KeyId, KeyRing, LogBatch,
        LoggedBallot, MAX_NAME_BYTES, MAX_SELECTIONS, Offset, Partition, Partitions,
        PositionedBallot, Record, Selection, Selections, TicketStamp, Timestamp, Voter, Votes,
    },
    ports::{GroupName, PortError, ResumeFrom},
};
use parking_lot::Mutex;

use crate::{clock::ManualClock, entropy::SeededEntropy, seed::Seed};

/// Makes what tests are about. Everything follows from its seed, and its names are its own.
#[derive(Debug)]
pub struct Fixtures {
    entropy: SeededEntropy,
    tag: String,
    keys: KeyRing,
}

impl Fixtures {
    /// Fixtures of a seed from the environment, or a random one; see [`Seed`].
    pub fn new() -> Self {
        Self::of(Seed::from_env_or_random())
    }

    /// Fixtures of this seed.
    pub fn of(seed: Seed) -> Self {
        let entropy = seed.entropy();
        let tag = format!("{:08x}", entropy.next() >> 32);
        let keys = key_ring(&entropy);
        Self { entropy, tag, keys }
    }

    /// The randomness that all of it comes from.
    pub const fn entropy(&self) -> &SeededEntropy {
        &self.entropy
    }

    /// The keys that its tickets are made with.
    pub const fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// The candidate `name`, of these fixtures: two of them order as their names do.
    pub fn candidate(&self, name: &str) -> Candidate {
        Candidate::new(&format!("{name} {}", self.tag)).expect("a short name with a tag is a name")
    }

    /// A group of readers of its own.
    pub fn group(&self, name: &str) -> GroupName {
        GroupName::new(format!(
            "{name}-{}-{:08x}",
            self.tag,
            self.entropy.next() >> 32
        ))
    }

    /// A genuine ticket.
    pub fn ticket(&self, issued_at: Timestamp) -> GenuineTicket {
        self.keys.issue(issued_at, &self.entropy)
    }

    /// A fresh ballot id.
    pub fn ballot_id(&self) -> BallotId {
        self.ballot_id_at(Partition::new(0), Partitions::ONE)
    }

    /// A fresh ballot id that belongs to `partition`.
    pub fn ballot_id_at(&self, partition: Partition, partitions: Partitions) -> BallotId {
        BallotId::mint(partition, partitions, ManualClock::START, &self.entropy)
    }

    /// A fresh ballot.
    pub fn ballot(&self, votes: &[(&Candidate, u32)]) -> LoggedBallot {
        ballot(self.ballot_id(), votes)
    }

    /// A fresh ballot that belongs to `partition` and is as large as a ballot can be.
    pub fn largest_ballot(&self, partition: Partition, partitions: Partitions) -> LoggedBallot {
        let candidates: Vec<_> = (0..MAX_SELECTIONS)
            .map(|at| Candidate::new(&format!("{at:0>MAX_NAME_BYTES$}")).expect("a long name"))
            .collect();
        let votes: Vec<_> = candidates.iter().map(|who| (who, u32::MAX)).collect();
        let mut largest = ballot(self.ballot_id_at(partition, partitions), &votes);
        largest.voter = Some(Voter::new(&"v".repeat(MAX_NAME_BYTES)).expect("a long name"));
        largest.ticket = TicketStamp {
            key_id: KeyId::new(u8::MAX),
            issued_at: Timestamp::from_unix_ms(u64::MAX),
        };
        largest
    }

    /// A claim of a fresh ballot.
    pub fn claim(&self) -> Claim {
        Claim::of(&self.ballot(&[(&self.candidate("anna"), 1)]))
    }

    /// Claims of so many fresh ballots.
    pub fn claims(&self, count: usize) -> Vec<Claim> {
        (0..count).map(|_| self.claim()).collect()
    }

    /// The same ballot's claim, had it said something else.
    pub fn altered(&self, claim: Claim) -> Claim {
        Claim {
            ballot: claim.ballot,
            ..self.claim_for("bert")
        }
    }

    /// A record of so many fresh ballots, which belong to its partition.
    pub fn record(&self, partition: Partition, partitions: Partitions, ballots: usize) -> Record {
        let candidate = self.candidate("anna");
        let ballots: Vec<_> = (0..ballots)
            .map(|_| {
                let votes = u32::try_from(self.entropy.below(9)).expect("below nine") + 1;
                ballot(
                    self.ballot_id_at(partition, partitions),
                    &[(&candidate, votes)],
                )
            })
            .collect();
        Record::new(partition, ballots)
    }

    fn claim_for(&self, name: &str) -> Claim {
        Claim::of(&self.ballot(&[(&self.candidate(name), 1)]))
    }
}

impl Default for Fixtures {
    fn default() -> Self {
        Self::new()
    }
}

/// A ring of two keys, the newer of which issues.
pub fn key_ring(entropy: &SeededEntropy) -> KeyRing {
    let secret = || {
        let mut secret = [0; KeyRing::MIN_SECRET_LEN];
        cast_core::domain::Entropy::fill(entropy, &mut secret);
        secret
    };
    KeyRing::new([(KeyId::new(2), secret()), (KeyId::new(1), secret())])
        .expect("two long secrets under two ids are a ring")
}

/// The ballot `id` with these votes, as the log keeps it.
pub fn ballot(id: BallotId, votes: &[(&Candidate, u32)]) -> LoggedBallot {
    let selections: Vec<_> = votes
        .iter()
        .map(|(candidate, votes)| Selection {
            candidate: (*candidate).clone(),
            votes: Votes::new(*votes).expect("a fixture votes at least once"),
        })
        .collect();
    LoggedBallot {
        id,
        ticket: TicketStamp {
            key_id: KeyId::new(2),
            issued_at: ManualClock::START,
        },
        voter: None,
        selections: Selections::new(selections).expect("a fixture has 1 to 16 selections"),
        trace: None,
    }
}

/// A step of the fold from `start` to `next`, with ballots and the offsets of their records.
pub fn step(
    partition: Partition,
    (start, next): (u64, u64),
    ballots: impl IntoIterator<Item = (u64, LoggedBallot)>,
) -> FoldStep {
    let positioned = |(offset, ballot)| PositionedBallot {
        offset: Offset::new(offset),
        ballot,
    };
    FoldStep {
        partition,
        start: Offset::new(start),
        next: Offset::new(next),
        ballots: ballots.into_iter().map(positioned).collect(),
        rejections: Vec::new(),
    }
}

/// Where a reader of the log has come to, for all partitions: the store's progress, without a store.
#[derive(Debug, Default)]
pub struct Progress {
    places: Mutex<BTreeMap<Partition, domain::Progress>>,
}

impl Progress {
    /// Nothing read.
    pub fn at_start() -> Self {
        Self::default()
    }

    /// Puts a partition there, forward or back, with nothing to know its log by.
    pub fn set(&self, partition: Partition, next: Offset) {
        self.put(partition, domain::Progress::at(next));
    }

    /// Puts a partition there, forward or back.
    pub fn put(&self, partition: Partition, progress: domain::Progress) {
        self.places.lock().insert(partition, progress);
    }

    /// Takes in a batch that was read.
    pub fn advance(&self, batch: &LogBatch) {
        let mut places = self.places.lock();
        let place = places.entry(batch.partition).or_default();
        if batch.next > place.next {
            let step = FoldStep::from(batch.clone());
            place.next = batch.next;
            place.last = step.fingerprint().or(place.last);
        }
    }

    /// Where a partition is.
    pub fn of(&self, partition: Partition) -> Offset {
        self.progress(partition).next
    }

    fn progress(&self, partition: Partition) -> domain::Progress {
        self.places
            .lock()
            .get(&partition)
            .copied()
            .unwrap_or_default()
    }
}

#[async_trait]
impl ResumeFrom for Progress {
    async fn resume_from(&self, partition: Partition) -> Result<domain::Progress, PortError> {
        Ok(self.progress(partition))
    }
}
