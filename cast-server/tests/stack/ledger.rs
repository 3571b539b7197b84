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
    /// Nothing by the deadline that every answer has: it may count.
    Late,
}

impl Told {
    pub(crate) fn is_acknowledgement(&self) -> bool {
        matches!(self, Self::Accepted | Self::Duplicate)
    }

    /// Whether the ballot may count, and its voter does not know.
    pub(crate) fn leaves_in_the_dark(&self) -> bool {
        matches!(self, Self::Unknown(_) | Self::Late)
    }
}

/// One sending of a ballot.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    /// The ticket it was sent with.
    pub(crate) ticket: String,
    /// The server it was sent to.
    pub(crate) door: String,
    /// When it was answered, in milliseconds since the Unix epoch.
    pub(crate) at_unix_ms: u64,
    /// The answer's request id; empty where there was no answer.
    pub(crate) request: String,
    pub(crate) told: Told,
    /// Whether its voter was told that the tallies shown may not have it yet.
    pub(crate) stale: bool,
}

/// A ballot as its voter knows it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// How many were entered before it.
    pub(crate) number: usize,
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
        } else if told.any(Told::leaves_in_the_dark) {
            Due::Either
        } else {
            Due::Absent
        }
    }

    /// Whether its voter was ever left in the dark.
    pub(crate) fn was_in_the_dark(&self) -> bool {
        let mut told = self.sendings.iter().map(|sending| &sending.told);
        told.any(Told::leaves_in_the_dark)
    }
}

/// All ballots, by the name that their voter gave each (`voterUsername`): it tells them apart also
/// where they have no id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) ballots: BTreeMap<String, Entry>,
    /// How often voters got no ticket, by what they were told instead.
    pub(crate) no_ticket: BTreeMap<String, usize>,
    /// How many of the ballots were acknowledged.
    acknowledged: usize,
}

impl Ledger {
    /// A ballot that is about to be sent.
    pub(crate) fn enter(&mut self, name: &str, id: Option<Uuid>, selections: &[(String, u64)]) {
        let entry = Entry {
            number: self.ballots.len(),
            id,
            selections: selections.to_vec(),
            sendings: Vec::new(),
        };
        let known = self.ballots.insert(name.to_owned(), entry);
        assert!(known.is_none(), "two ballots are named {name}");
    }

    /// What was told of a sending, and of which ballot.
    pub(crate) fn note(&mut self, name: &str, id: Option<Uuid>, sending: Sending) {
        let entry = self.ballots.get_mut(name).expect("it was entered");
        let was_due = entry.due();
        entry.id = entry.id.or(id);
        entry.sendings.push(sending);
        let is_new = was_due != Due::Stored && entry.due() == Due::Stored;
        self.acknowledged += usize::from(is_new);
    }

    /// Everybody voted for.
    pub(crate) fn candidates(&self) -> Vec<String> {
        let selections = self.ballots.values().flat_map(|entry| &entry.selections);
        let names: BTreeSet<&str> = selections.map(|(name, _)| name.as_str()).collect();
        names.into_iter().map(String::from).collect()
    }

    /// How many ballots were acknowledged.
    pub(crate) const fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// Each ticket that was ever held, once.
    pub(crate) fn tickets(&self) -> BTreeSet<&str> {
        self.sendings()
            .map(|sending| sending.ticket.as_str())
            .collect()
    }

    /// How many sendings were told something like that.
    pub(crate) fn told(&self, like: impl Fn(&Told) -> bool) -> usize {
        self.sendings()
            .filter(|sending| like(&sending.told))
            .count()
    }

    /// How often voters were told that they cannot vote now, or not what became of their vote.
    pub(crate) fn unserved(&self) -> usize {
        let unserved = |told: &Told| matches!(told, Told::NotTaken(_)) || told.leaves_in_the_dark();
        self.told(unserved) + self.no_ticket.values().sum::<usize>()
    }

    /// All that was ever sent.
    pub(crate) fn sendings(&self) -> impl Iterator<Item = &Sending> {
        self.ballots.values().flat_map(|entry| &entry.sendings)
    }
}
