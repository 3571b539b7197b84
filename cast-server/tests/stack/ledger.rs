//! What voters sent, and what they were told of it.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// What a voter was told of one sending of a ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// That it counts.
    Accepted,
    /// That it had been accepted before, and counts.
    Duplicate,
    /// A refusal, by its code: this sending does not count.
    Refused(String),
    /// A fault after which this sending does not count; or nobody was there to take it.
    NotTaken(String),
    /// A fault after which it may count, or no answer at all.
    Unknown(String),
}

impl Told {
    pub(crate) fn is_acknowledgement(&self) -> bool {
        matches!(self, Self::Accepted | Self::Duplicate)
    }
}

/// One sending of a ballot.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    /// The ticket it was sent with.
    pub(crate) ticket: String,
    pub(crate) told: Told,
}

/// A ballot as its voter knows it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The voter's own id for it, or the one that was told.
    pub(crate) id: Option<Uuid>,
    /// Whom it votes for, in the order sent; a name may stand there twice.
    pub(crate) selections: Vec<(String, u64)>,
    pub(crate) sendings: Vec<Sending>,
}

/// What must be true of a ballot in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// It was acknowledged.
    Stored,
    /// Every sending of it was refused, or not taken.
    Absent,
    /// Nobody told its voter.
    Either,
}

impl Entry {
    pub(crate) fn due(&self) -> Due {
        let mut told = self.sendings.iter().map(|sending| &sending.told);
        if told.clone().any(Told::is_acknowledgement) {
            Due::Stored
        } else if told.any(|told| matches!(told, Told::Unknown(_))) {
            Due::Either
        } else {
            Due::Absent
        }
    }
}

/// All ballots, by the name that their voter gave each (`voterUsername`): it tells them apart also
/// where they have no id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) ballots: BTreeMap<String, Entry>,
    /// How often a server said that no ticket is good.
    pub(crate) without_ticket: usize,
}

impl Ledger {
    /// Everybody voted for.
    pub(crate) fn candidates(&self) -> Vec<String> {
        let selections = self.ballots.values().flat_map(|entry| &entry.selections);
        let mut names: Vec<_> = selections.map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// How many ballots were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        let due = self.ballots.values().map(Entry::due);
        due.filter(|due| *due == Due::Stored).count()
    }

    /// Each ticket that was ever held, once.
    pub(crate) fn tickets(&self) -> BTreeSet<&str> {
        let sendings = self.ballots.values().flat_map(|entry| &entry.sendings);
        sendings.map(|sending| sending.ticket.as_str()).collect()
    }

    /// How many sendings were told something like that.
    pub(crate) fn told(&self, like: impl Fn(&Told) -> bool) -> usize {
        let sendings = self.ballots.values().flat_map(|entry| &entry.sendings);
        sendings.filter(|sending| like(&sending.told)).count()
    }
}
