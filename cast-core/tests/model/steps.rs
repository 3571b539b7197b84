//! What may happen next, and what it changes.

use super::{
    Cast, fold, ingest,
    scope::Mechanism,
    state::{CANDIDATES, Checkpoint, Consumer, LOG, PARTITIONS, Record, Stage, State, TICKETS},
    votes::{BALLOTS, Ballots},
};

/// One step. It has no actor: servers, consumers and refreshers
/// have no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A server takes ballots and redeems a ticket for them. `astray`: for the wrong partition.
    Redeem {
        ballots: Ballots,
        ticket: usize,
        astray: bool,
    },
    /// A server that looked for a use takes it.
    TakeUse(Record),
    /// The log takes a record and says so.
    Publish(Record),
    /// The log takes a record, and its server never hears of it or is dead.
    PublishUnreported(Record),
    /// A server dies with a record, gives it up, or is refused by the log.
    Die(Record),
    /// The counter records a record, its server hears of it, and tells the voters.
    RecordAndReply(Record),
    /// The counter records a record's votes, of these candidates only, and no voter is answered.
    RecordUnreported(Record, [bool; CANDIDATES]),
    /// The counter did not answer: the voters are answered with success, and that the tallies are stale.
    ReplyStale(Record),
    /// Voters are answered with success before the log has said anything.
    ReplyEarly(Record),
    /// A consumer is given a partition, and asks where it is to be read on.
    Join { partition: usize },
    /// A consumer is handed the next records.
    Read(Consumer, u8),
    /// A consumer applies its batch, or meets the fence.
    Apply(Consumer),
    /// A consumer that waits finds that the store was restored.
    LookBack(Consumer),
    /// A consumer dies or leaves.
    Leave(Consumer),
    /// A checkpoint arrives.
    Reconcile(Checkpoint),
    /// A tally is old or a miss: it is read from the store.
    Refresh { candidate: usize },
    /// The store is copied.
    Backup,
    /// The store is restored to the copy.
    Restore,
    /// The counter forgets one key.
    Forget { candidate: usize },
    /// The counter forgets everything.
    ForgetAll,
    /// The ticket source loses a use counter.
    LoseUseCounter { ticket: usize },
    /// The ticket source forgets the ids.
    LoseIds,
}

/// All steps that may be possible.
pub(crate) fn steps(cast: &Cast, state: &State, steps: &mut Vec<Step>) {
    ingest_steps(cast, state, steps);
    fold_steps(cast, state, steps);
    rare_steps(cast, state, steps);
}

fn ingest_steps(cast: &Cast, state: &State, steps: &mut Vec<Step>) {
    let waiting = (0..BALLOTS).filter(|id| state.sendings[*id] > 0);
    let waiting = waiting.fold(Ballots::NONE, |all, id| all.and(Ballots::one(id)));
    // Who was answered with success does not vote again.
    for ballots in waiting
        .without(state.acknowledged)
        .choices(cast.scope.flush)
    {
        for ticket in (0..TICKETS).filter(|ticket| state.tickets.used[*ticket].is_some()) {
            steps.push(Step::Redeem {
                ballots,
                ticket,
                astray: false,
            });
            if cast.lacks(Mechanism::PartitionOfBallot) {
                steps.push(Step::Redeem {
                    ballots,
                    ticket,
                    astray: true,
                });
            }
        }
    }
    for record in state.records.kinds() {
        match record.stage {
            Stage::Looked { .. } => steps.push(Step::TakeUse(record)),
            Stage::Redeemed => {
                if usize::from(state.log[record.partition].end()) < LOG {
                    steps.extend([Step::Publish(record), Step::PublishUnreported(record)]);
                }
                steps.push(Step::Die(record));
                if cast.lacks(Mechanism::ReplyAfterLog) {
                    steps.push(Step::ReplyEarly(record));
                }
            }
            Stage::Logged { .. } => {
                steps.extend([Step::RecordAndReply(record), Step::ReplyStale(record)]);
                record_unreported(cast, record, steps);
            }
            Stage::Late { .. } => {
                steps.push(Step::Die(record));
                record_unreported(cast, record, steps);
            }
        }
    }
}

/// The counter is atomic for a candidate, not for a record.
fn record_unreported(cast: &Cast, record: Record, steps: &mut Vec<Step>) {
    let mut touched = [false; CANDIDATES];
    for candidate in cast.scope.selected(record.granted) {
        touched[candidate] = true;
        let mut only = [false; CANDIDATES];
        only[candidate] = true;
        steps.push(Step::RecordUnreported(record, only));
    }
    if touched.iter().all(|touched| *touched) {
        steps.push(Step::RecordUnreported(record, touched));
    }
}

fn fold_steps(cast: &Cast, state: &State, steps: &mut Vec<Step>) {
    if state.consumers.len() < cast.scope.consumers {
        steps.extend((0..PARTITIONS).map(|partition| Step::Join { partition }));
    }
    for consumer in state.consumers.kinds() {
        match consumer {
            Consumer::Waiting { partition, at } => match state.log[partition].end() - at {
                0 => steps.push(Step::LookBack(consumer)),
                1 => steps.push(Step::Read(consumer, 1)),
                all => steps.extend([Step::Read(consumer, 1), Step::Read(consumer, all)]),
            },
            Consumer::Holding { .. } => steps.push(Step::Apply(consumer)),
        }
        steps.push(Step::Leave(consumer));
    }
    steps.extend(state.checkpoints.kinds().map(Step::Reconcile));
    if state.checkpoints.len() < cast.scope.checkpoints {
        let candidates = cast.scope.selected(cast.scope.ballots());
        steps.extend(candidates.map(|candidate| Step::Refresh { candidate }));
    }
}

fn rare_steps(cast: &Cast, state: &State, steps: &mut Vec<Step>) {
    let rare = state.rare;
    if rare.backups > 0 {
        steps.push(Step::Backup);
    }
    if rare.restores > 0 && state.backup.is_some() {
        steps.push(Step::Restore);
    }
    if rare.forgets > 0 {
        let candidates = cast.scope.selected(cast.scope.ballots());
        steps.extend(candidates.map(|candidate| Step::Forget { candidate }));
        steps.push(Step::ForgetAll);
    }
    if rare.lost_use_counters > 0 {
        let kept = (0..TICKETS).filter(|ticket| state.tickets.used[*ticket].is_some());
        steps.extend(kept.map(|ticket| Step::LoseUseCounter { ticket }));
    }
    if rare.lost_ids > 0 {
        steps.push(Step::LoseIds);
    }
}

/// What a step leads to; nothing if it is not possible after all.
pub(crate) fn after(cast: &Cast, state: &State, step: Step) -> Option<State> {
    let mut next = *state;
    match step {
        Step::Redeem {
            ballots,
            ticket,
            astray,
        } => {
            cast.redeem(&mut next, ballots, ticket, astray)?;
        }
        Step::TakeUse(record) => ingest::take_use(&mut next, record),
        Step::Publish(record) => ingest::publish(&mut next, record, true),
        Step::PublishUnreported(record) => ingest::publish(&mut next, record, false),
        Step::Die(record) => next.records.remove(record),
        Step::RecordAndReply(record) => cast.record_and_reply(&mut next, record),
        Step::RecordUnreported(record, candidates) => {
            cast.record(&mut next, record, candidates);
            next.records.remove(record);
        }
        Step::ReplyStale(record) => ingest::reply_stale(&mut next, record),
        Step::ReplyEarly(record) => {
            next.acknowledged = next.acknowledged.and(record.ballots);
        }
        Step::Join { partition } => cast.join(&mut next, partition),
        Step::Read(consumer, records) => fold::read(&mut next, consumer, records),
        Step::Apply(consumer) => cast.apply(&mut next, consumer),
        Step::LookBack(consumer) => cast.look_back(&mut next, consumer),
        Step::Leave(consumer) => next.consumers.remove(consumer),
        Step::Reconcile(checkpoint) => {
            next.checkpoints.remove(checkpoint);
            cast.reconcile(&mut next, checkpoint);
        }
        Step::Refresh { candidate } => {
            next.checkpoints
                .add(next.store.whole(&cast.scope, candidate));
        }
        Step::Backup => {
            next.rare.backups -= 1;
            next.backup = Some(next.store);
        }
        Step::Restore => {
            next.rare.restores -= 1;
            next.store = next.backup.expect("there is one");
        }
        Step::Forget { candidate } => {
            next.rare.forgets -= 1;
            fold::forget(&mut next, candidate);
        }
        Step::ForgetAll => {
            next.rare.forgets -= 1;
            (0..CANDIDATES).for_each(|candidate| fold::forget(&mut next, candidate));
        }
        Step::LoseUseCounter { ticket } => {
            next.rare.lost_use_counters -= 1;
            let again = cast.lacks(Mechanism::LostUseCounterRefused);
            next.tickets.used[ticket] = again.then_some(0);
        }
        Step::LoseIds => {
            next.rare.lost_ids -= 1;
            let tickets = &mut next.tickets;
            tickets.forgotten = tickets.forgotten.and(std::mem::take(&mut tickets.ids));
        }
    }
    Some(next)
}
