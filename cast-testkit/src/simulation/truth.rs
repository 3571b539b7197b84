//! What the servers have really done, observed below the injected faults; and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use cast_core::domain::{
    BallotId, Candidate, LogPosition, LoggedBallot, Offset, Partition, Record, Ticket, sum_votes,
};

/// Votes by candidate.
pub(super) type Votes = BTreeMap<Candidate, u64>;

#[derive(Default)]
pub(super) struct Truth {
    /// The log, as it acknowledged the records.
    pub(super) log: BTreeMap<LogPosition, Vec<LoggedBallot>>,
    /// Where each ballot is first.
    first: BTreeMap<BallotId, LogPosition>,
    /// The votes of all ballots, each once.
    distinct: Votes,
    /// The votes of copies that were recorded: of ballots that were in the log before, sent again while
    /// the first sending was under way. Until they reconcile, they show.
    copies: Votes,
    /// Every pending vote that the counter ever recorded.
    ever: BTreeSet<(Candidate, LogPosition)>,
    /// Uses granted of each ticket, and its limit.
    granted: BTreeMap<[u8; 32], (u64, u64)>,
    grants: BTreeSet<BallotId>,
    /// The pending votes that the counter recorded and has not lost since.
    pending: BTreeSet<(Candidate, LogPosition)>,
    /// How often the counter lost each candidate.
    losses: BTreeMap<Candidate, u64>,
    /// The offset up to which each candidate was reconciled since.
    reconciled: BTreeMap<(Candidate, Partition), Offset>,
    /// Whether the ticket source lost ids.
    pub(super) ids_lost: bool,
}

impl Truth {
    /// Notes a record of the log. Returns whether it has one of its ballots twice by now.
    pub(super) fn logged(&mut self, record: &Record, position: LogPosition) -> bool {
        let mut has_twice = false;
        for ballot in record.ballots().iter() {
            let first = self.first.get(&ballot.id).copied();
            has_twice |= first.is_some();
            if first.is_none() {
                add(&mut self.distinct, &sum_votes([ballot]));
                self.first.insert(ballot.id, position);
            }
        }
        self.log.insert(position, record.ballots().to_vec());
        has_twice
    }

    /// The ballots that count, each where the log first has it.
    pub(super) fn counting(&self) -> impl Iterator<Item = (LogPosition, &LoggedBallot)> {
        self.first.iter().map(|(id, position)| {
            let mut ballots = self.log[position].iter();
            let ballot = ballots.find(|ballot| ballot.id == *id);
            (*position, ballot.expect("it is first where it is"))
        })
    }

    pub(super) fn first(&self, id: BallotId) -> Option<LogPosition> {
        self.first.get(&id).copied()
    }

    /// What a partition's records before an offset come to.
    pub(super) fn fold(&self, partition: Partition, next: Offset) -> Votes {
        let before = self
            .counting()
            .filter(|(position, _)| position.partition == partition && position.offset < next);
        sum_votes(before.map(|(_, ballot)| ballot))
    }

    /// What all records come to.
    pub(super) const fn distinct(&self) -> &Votes {
        &self.distinct
    }

    /// The most that may be shown of a candidate: what the log has, and how much more where ballots
    /// were recorded as copies.
    pub(super) fn most(&self, candidate: &Candidate) -> (u64, u64) {
        let of = |votes: &Votes| votes.get(candidate).copied().unwrap_or(0);
        (of(&self.distinct), of(&self.distinct) + of(&self.copies))
    }

    /// Notes that uses were granted. Returns the ticket's uses so far, and its limit.
    pub(super) fn granted(&mut self, ticket: &Ticket, ids: &[BallotId]) -> (u64, u64) {
        self.grants.extend(ids);
        let (uses, limit) = self.granted.entry(*ticket.as_bytes()).or_default();
        *uses += ids.len() as u64;
        (*uses, *limit)
    }

    pub(super) fn was_granted(&self, id: BallotId) -> bool {
        self.grants.contains(&id)
    }

    /// Notes the limit of a ticket.
    pub(super) fn issued(&mut self, ticket: &Ticket, limit: u32) {
        self.granted.entry(*ticket.as_bytes()).or_default().1 = limit.into();
    }

    /// Notes a pending vote. Returns whether it was there, and whether it was reconciled.
    pub(super) fn recorded(&mut self, candidate: &Candidate, at: LogPosition) -> (bool, bool) {
        let reconciled = self.reconciled.get(&(candidate.clone(), at.partition));
        let is_reconciled = reconciled.is_some_and(|as_of| at.offset < *as_of);
        if self.ever.insert((candidate.clone(), at)) {
            let record = self.log.get(&at).into_iter().flatten();
            let copies = record.filter(|ballot| self.first.get(&ballot.id) != Some(&at));
            let votes = sum_votes(copies).remove(candidate).unwrap_or(0);
            *self.copies.entry(candidate.clone()).or_default() += votes;
        }
        let is_new = self.pending.insert((candidate.clone(), at));
        (!is_new, is_reconciled)
    }

    pub(super) fn has_pending(&self, candidate: &Candidate, at: LogPosition) -> bool {
        self.pending.contains(&(candidate.clone(), at))
    }

    /// Notes that an applied total was reconciled. Returns whether a newer one was before.
    pub(super) fn reconciled(
        &mut self,
        candidate: &Candidate,
        at: Partition,
        as_of: Offset,
    ) -> bool {
        let newest = self.reconciled.entry((candidate.clone(), at)).or_default();
        let is_late = as_of < *newest;
        *newest = as_of.max(*newest);
        is_late
    }

    /// Notes that the counter lost a candidate.
    pub(super) fn lost(&mut self, candidate: &Candidate) {
        self.pending.retain(|(of, _)| of != candidate);
        self.reconciled.retain(|(of, _), _| of != candidate);
        *self.losses.entry(candidate.clone()).or_default() += 1;
    }

    /// How often the counter lost a candidate.
    pub(super) fn losses(&self, candidate: &Candidate) -> u64 {
        self.losses.get(candidate).copied().unwrap_or(0)
    }
}

pub(super) fn add(sum: &mut Votes, votes: &Votes) {
    for (candidate, votes) in votes {
        *sum.entry(candidate.clone()).or_default() += votes;
    }
}
