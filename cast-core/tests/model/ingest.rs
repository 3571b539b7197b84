//! A ballot's way in: redeem, publish, record, reply.

use super::{
    Cast,
    fold::note_shown,
    scope::Mechanism,
    state::{CANDIDATES, Offset, PARTITIONS, Record, Stage, State},
    votes::{Ballots, Votes},
};

impl Cast {
    /// One atomic step of the ticket source for the whole flush. Nothing happens if no ballot is
    /// granted or repeated, or the servers have their hands full.
    pub(crate) fn redeem(
        &self,
        state: &mut State,
        ballots: Ballots,
        ticket: usize,
        astray: bool,
    ) -> Option<()> {
        let used = state.tickets.used[ticket]?;
        let known = if self.lacks(Mechanism::IdsRemembered) {
            Ballots::NONE
        } else {
            state.tickets.ids
        };
        let repeated = ballots.within(known);
        // As many as are left, in order; the others are exhausted.
        let left = self.scope.uses[ticket].saturating_sub(used);
        let granted = ballots.without(known).first(usize::from(left));
        let atomic = !self.lacks(Mechanism::AtomicRedeem);
        if atomic {
            grant(state, ticket, granted);
        }
        for id in ballots.ids() {
            state.sendings[id] -= 1;
        }
        let mut is_any = false;
        for partition in 0..PARTITIONS {
            let here = self.scope.at_home_in(partition, repeated.and(granted));
            if here.is_empty() {
                continue;
            }
            if state.records.len() == self.scope.records {
                return None;
            }
            is_any = true;
            state.records.add(Record {
                partition: if astray {
                    PARTITIONS - 1 - partition
                } else {
                    partition
                },
                ballots: here,
                granted: here.within(granted),
                stage: if atomic {
                    Stage::Redeemed
                } else {
                    Stage::Looked { ticket }
                },
            });
        }
        is_any.then_some(())
    }

    pub(crate) fn record_and_reply(&self, state: &mut State, record: Record) {
        self.record(state, record, [true; CANDIDATES]);
        state.records.remove(record);
        state.acknowledged = state.acknowledged.and(record.ballots);
        // From now on these voters have seen their votes counted.
        for candidate in self.scope.selected(record.granted) {
            let theirs = record.granted.within(self.scope.voters[candidate]);
            state.due[candidate] = state.due[candidate].and(theirs);
        }
    }

    /// Adds the pending votes of a record, for some candidates.
    pub(crate) fn record(&self, state: &mut State, record: Record, candidates: [bool; CANDIDATES]) {
        let (Stage::Logged { at } | Stage::Late { at }) = record.stage else {
            unreachable!("only what is logged is recorded");
        };
        let recorded = if self.lacks(Mechanism::RepeatUnrecorded) {
            record.ballots
        } else {
            record.granted
        };
        for candidate in self.scope.selected(recorded) {
            if candidates[candidate] {
                let votes = Votes::once(recorded.within(self.scope.voters[candidate]));
                self.add_tail(state, candidate, record.partition, at, votes);
            }
        }
    }

    fn add_tail(
        &self,
        state: &mut State,
        candidate: usize,
        partition: usize,
        at: Offset,
        votes: Votes,
    ) {
        let count = &mut state.counter[candidate].partitions[partition];
        if self.lacks(Mechanism::PendingByPosition) || self.lacks(Mechanism::PendingEverDropped) {
            count.pending[0] = count.pending[0].plus(votes);
        } else if at >= count.as_of && count.pending[usize::from(at)].is_none() {
            count.pending[usize::from(at)] = votes;
        }
        note_shown(state, candidate);
    }
}

fn grant(state: &mut State, ticket: usize, granted: Ballots) {
    let uses = u8::try_from(granted.len()).expect("few");
    state.tickets.ids = state.tickets.ids.and(granted);
    state.tickets.granted[ticket] += uses;
    if let Some(used) = &mut state.tickets.used[ticket] {
        *used += uses;
    }
}

/// The second half of a redemption that is not atomic.
pub(crate) fn take_use(state: &mut State, record: Record) {
    let Stage::Looked { ticket } = record.stage else {
        unreachable!("only who looked takes");
    };
    grant(state, ticket, record.granted);
    let stage = Stage::Redeemed;
    state.records.replace(record, Record { stage, ..record });
}

pub(crate) fn publish(state: &mut State, record: Record, acknowledged: bool) {
    let logged = state.logged().ballots();
    let tickets = &mut state.tickets;
    let retried = logged.without(tickets.first_tries);
    tickets.overtaken = tickets.overtaken.and(record.granted.within(retried));
    tickets.first_tries = tickets.first_tries.and(record.granted);
    let at = state.log[record.partition].append(record.ballots);
    if acknowledged {
        let stage = Stage::Logged { at };
        state.records.replace(record, Record { stage, ..record });
    } else {
        state.records.remove(record);
    }
}

pub(crate) fn reply_stale(state: &mut State, record: Record) {
    let Stage::Logged { at } = record.stage else {
        unreachable!("only what is logged is acknowledged");
    };
    state.acknowledged = state.acknowledged.and(record.ballots);
    let stage = Stage::Late { at };
    state.records.replace(record, Record { stage, ..record });
}
