//! What there is at one moment: what each port holds, and what is on its way between them.

use super::{
    bag::Bag,
    scope::{Rare, Scope},
    votes::{BALLOTS, Ballots, Votes},
};

pub(crate) const PARTITIONS: usize = 2;
pub(crate) const CANDIDATES: usize = 2;
pub(crate) const TICKETS: usize = 2;
/// The most records of a partition.
pub(crate) const LOG: usize = 5;
/// The most of anything that is in flight.
pub(crate) const IN_FLIGHT: usize = 3;

/// A place in a partition, or how many records there are before it.
pub(crate) type Offset = u8;

/// Everything at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// How often each ballot may still be sent.
    pub(crate) sendings: [u8; BALLOTS],
    /// The ballots whose voters were answered with success.
    pub(crate) acknowledged: Ballots,
    pub(crate) tickets: Tickets,
    /// What API servers have in hand. A server is nothing else: one that dies leaves none of it.
    pub(crate) records: Bag<Record, IN_FLIGHT>,
    pub(crate) log: [Log; PARTITIONS],
    pub(crate) consumers: Bag<Consumer, IN_FLIGHT>,
    /// What the group committed to the log. Recorded only where it decides something.
    pub(crate) committed: [Offset; PARTITIONS],
    pub(crate) store: Store,
    pub(crate) backup: Option<Store>,
    /// What consumers and refreshers have read in the store, on its way to the counter.
    pub(crate) checkpoints: Bag<Checkpoint, IN_FLIGHT>,
    /// By candidate.
    pub(crate) counter: [Count; CANDIDATES],
    /// By candidate, the ballots that the counter has shown or recorded, and a voter knows it.
    pub(crate) due: [Ballots; CANDIDATES],
    /// The rare things that may still happen.
    pub(crate) rare: Rare,
}

/// What the ticket source holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tickets {
    /// The uses taken of each ticket; none if the use counter was lost.
    pub(crate) used: [Option<u8>; TICKETS],
    /// The ids that it knows.
    pub(crate) ids: Ballots,
    /// What it knew once. (Only the properties read this.)
    pub(crate) forgotten: Ballots,
    /// How many uses were ever granted. (Likewise.)
    pub(crate) granted: [u8; TICKETS],
    /// The ballots that the log got from whom they were granted to. (Likewise.)
    pub(crate) first_tries: Ballots,
    /// Those of them that it had already got from a retry. (Likewise.)
    pub(crate) overtaken: Ballots,
}

/// The ballots of one flush for one partition, on their way through a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Record {
    pub(crate) partition: usize,
    pub(crate) ballots: Ballots,
    /// Those that the ticket source saw for the first time: their votes are to be recorded.
    pub(crate) granted: Ballots,
    pub(crate) stage: Stage,
}

/// How far a record has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    /// A use was seen to be left, and is not taken yet. Only where redeeming is not atomic.
    Looked { ticket: usize },
    /// It is to be published, or was published without an acknowledgement.
    Redeemed,
    /// The log has it.
    Logged { at: Offset },
    /// The log has it, the voters have been answered, and the counter may still record it.
    Late { at: Offset },
}

/// A partition of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Log {
    len: Offset,
    records: [Ballots; LOG],
}

impl Log {
    pub(crate) fn end(&self) -> Offset {
        self.len
    }

    pub(crate) fn append(&mut self, ballots: Ballots) -> Offset {
        let at = self.len;
        self.records[usize::from(at)] = ballots;
        self.len += 1;
        at
    }

    pub(crate) fn between(&self, start: Offset, next: Offset) -> impl Iterator<Item = Ballots> {
        self.records[usize::from(start)..usize::from(next)]
            .iter()
            .copied()
    }

    /// All ballots between two places, each as often as it is there.
    pub(crate) fn votes(&self, start: Offset, next: Offset) -> Votes {
        let records = self.between(start, next);
        records.fold(Votes::NONE, |sum, ballots| sum.plus(Votes::once(ballots)))
    }

    /// What the promise says that a store at `progress` holds: each ballot once.
    pub(crate) fn fold(&self, progress: Offset) -> Votes {
        Votes::once(self.votes(0, progress).ballots())
    }
}

/// A consumer, of which each partition may have several: those that lost it and have not noticed
/// are zombies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Consumer {
    /// It waits for the record at `at`.
    Waiting { partition: usize, at: Offset },
    /// It was handed a batch, and is to apply it.
    Holding {
        partition: usize,
        start: Offset,
        next: Offset,
    },
}

impl Consumer {
    pub(crate) const fn partition(self) -> usize {
        match self {
            Self::Waiting { partition, .. } | Self::Holding { partition, .. } => partition,
        }
    }
}

/// What the store holds, by partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) progress: [Offset; PARTITIONS],
    pub(crate) totals: [Votes; PARTITIONS],
}

impl Store {
    /// The ballots that were counted in any partition.
    pub(crate) fn counted(self) -> Votes {
        self.totals
            .iter()
            .fold(Votes::NONE, |all, votes| all.plus(*votes))
    }

    /// What it tells of a candidate: a total of each partition, all at one moment.
    pub(crate) fn whole(self, scope: &Scope, candidate: usize) -> Checkpoint {
        let total = |partition: usize| {
            let votes = self.totals[partition].of(scope.voters[candidate]);
            let as_of = self.progress[partition];
            Some(AppliedTotal { as_of, votes })
        };
        let applied_totals = std::array::from_fn(total);
        Checkpoint {
            candidate,
            applied_totals,
        }
    }
}

/// A candidate's applied totals, on their way to the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Checkpoint {
    pub(crate) candidate: usize,
    /// By partition.
    pub(crate) applied_totals: [Option<AppliedTotal>; PARTITIONS],
}

/// A candidate's votes in a partition before an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AppliedTotal {
    pub(crate) as_of: Offset,
    pub(crate) votes: Votes,
}

/// What the counter holds of one candidate, by partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Count {
    pub(crate) partitions: [PartitionCount; PARTITIONS],
}

/// What the counter holds of one candidate in one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PartitionCount {
    pub(crate) as_of: Offset,
    pub(crate) reconciled: Votes,
    /// By offset. Without positions all of it is at the first.
    pub(crate) pending: [Votes; LOG],
}

impl Count {
    /// What is shown: reconciled and pending votes together.
    pub(crate) fn shown(&self) -> Votes {
        let partitions = self.partitions.iter();
        let all = partitions.flat_map(|count| count.pending.iter().chain([&count.reconciled]));
        all.fold(Votes::NONE, |sum, votes| sum.plus(*votes))
    }
}

impl State {
    /// There are no votes yet.
    pub(crate) fn new(scope: &Scope) -> Self {
        Self {
            sendings: scope.sendings,
            acknowledged: Ballots::NONE,
            tickets: Tickets {
                used: scope.uses.map(|uses| (uses > 0).then_some(0)),
                ..Tickets::default()
            },
            records: Bag::EMPTY,
            log: [Log::default(); PARTITIONS],
            consumers: Bag::EMPTY,
            committed: [0; PARTITIONS],
            store: Store::default(),
            backup: None,
            checkpoints: Bag::EMPTY,
            counter: [Count::default(); CANDIDATES],
            due: [Ballots::NONE; CANDIDATES],
            rare: scope.rare,
        }
    }

    /// The ballots that the log has, each as often as it has it.
    pub(crate) fn logged(&self) -> Votes {
        let partitions = self.log.iter();
        partitions.fold(Votes::NONE, |all, log| all.plus(log.votes(0, log.end())))
    }
}
