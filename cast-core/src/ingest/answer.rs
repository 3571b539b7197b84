//! The ballots of a flush between its steps, and their answers.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::{
    domain::{
        Ballot, Candidate, GenuineTicket, LogPosition, LoggedBallot, Outcome, Receipt, Tally,
    },
    fault::Fault,
    ports::{PendingVotes, PortError},
    tallies::Shown,
};

/// The way back to the voter.
pub(super) type Reply = oneshot::Sender<Result<Outcome, Fault>>;

/// A ballot that passed all checks and waits for a flush.
pub(super) struct PendingBallot {
    pub(super) ballot: Ballot,
    pub(super) ticket: GenuineTicket,
    /// When it was accepted into the intake, by the monotonic clock.
    pub(super) since: Duration,
    pub(super) reply: Reply,
}

/// A ballot that has its id and is to be redeemed.
pub(super) struct AdmittedBallot {
    pub(super) ballot: LoggedBallot,
    pub(super) ticket: GenuineTicket,
    pub(super) reply: Reply,
}

/// A ballot that is to be published: a new one, or a retry.
pub(super) struct RedeemedBallot {
    pub(super) ballot: LoggedBallot,
    pub(super) repeated: bool,
    pub(super) reply: Reply,
}

/// A ballot that the log has acknowledged.
pub(super) struct AcknowledgedBallot {
    pub(super) redeemed: RedeemedBallot,
    pub(super) position: Option<LogPosition>,
}

impl AcknowledgedBallot {
    /// The position at which its votes are to be recorded; `None` for a retry, whose votes were recorded
    /// before.
    pub(super) fn recorded_at(&self) -> Option<LogPosition> {
        if self.redeemed.repeated {
            None
        } else {
            self.position
        }
    }
}

/// The candidates of all ballots, each once, in order.
pub(super) fn candidates(
    pending: &[PendingVotes],
    acknowledged: &[AcknowledgedBallot],
) -> Vec<Candidate> {
    let recorded = pending.iter().flat_map(|pending| &pending.votes);
    let unrecorded = acknowledged
        .iter()
        .filter(|ack| ack.recorded_at().is_none())
        .flat_map(|ack| ack.redeemed.ballot.selections.iter());
    let mut candidates: Vec<_> = recorded
        .map(|(candidate, _)| candidate)
        .chain(unrecorded.map(|selection| &selection.candidate))
        .cloned()
        .collect();
    candidates.sort_unstable();
    candidates.dedup();
    candidates
}

/// Answers each ballot with the tallies after it, as if the ballots of the flush had been counted one
/// after the other. `shown` has the tallies of all [`candidates`], in order.
pub(super) fn accept(acknowledged: Vec<AcknowledgedBallot>, shown: Shown) {
    let mut after = shown.tallies;
    let index = |after: &[Tally], candidate: &Candidate| {
        after
            .binary_search_by(|tally| tally.candidate.cmp(candidate))
            .expect("the tallies are those of all candidates, in order")
    };
    // Backwards from the last ballot: it gets the tallies as they are, and its votes are subtracted for
    // the ballot before.
    for ack in acknowledged.into_iter().rev() {
        // Stale tallies may lack some votes of the flush: nothing can be subtracted.
        let recorded = ack.recorded_at().is_some() && !shown.stale;
        let AcknowledgedBallot {
            redeemed:
                RedeemedBallot {
                    ballot,
                    repeated,
                    reply,
                },
            position,
        } = ack;
        let selections = &ballot.selections;
        let indexes: Vec<_> = selections
            .iter()
            .map(|s| index(&after, &s.candidate))
            .collect();
        let tallies = indexes.iter().map(|at| after[*at].clone()).collect();
        if recorded {
            for (at, selection) in indexes.into_iter().zip(selections.iter()) {
                let votes = &mut after[at].votes;
                *votes = votes.saturating_sub(u64::from(selection.votes.get()));
            }
        }
        let receipt = Receipt {
            ballot: ballot.id,
            position,
            repeated,
            tallies,
            stale: shown.stale,
        };
        answer(reply, Ok(Outcome::Accepted(receipt)));
    }
}

/// Answers the ballots of a record that the log did not acknowledge.
pub(super) fn fail(redeemed: Vec<RedeemedBallot>, error: PortError) {
    let fault = Fault::of_publish(error);
    for RedeemedBallot {
        ballot,
        repeated,
        reply,
    } in redeemed
    {
        // The first copy of a retried ballot may be in the log.
        let fault = if repeated {
            fault.clone().unknown()
        } else {
            fault.clone()
        };
        answer(reply, Err(fault.about(ballot.id)));
    }
}

/// Answers a ballot. A voter that has disconnected gets no answer.
pub(super) fn answer(reply: Reply, result: Result<Outcome, Fault>) {
    let _ = reply.send(result);
}
