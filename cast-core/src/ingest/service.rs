//! The vote service: checks a ballot without I/O, hands it to the intake, waits for the answer.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::{answer::PendingBallot, recent::RecentBallots};
use crate::{
    domain::{
        Ballot, BallotError, BallotId, Clock, Entropy, GenuineTicket, KeyRing, LogPosition,
        Outcome, Partition, Partitions, Refusal,
    },
    fault::{Fault, FaultKind},
    ports::Ports,
    settings::{IngestSettings, TicketSettings},
};

/// Accepts ballots.
pub(crate) struct VoteService {
    keys: KeyRing,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    intake: mpsc::Sender<PendingBallot>,
    recent: Arc<RecentBallots>,
    max_votes: u32,
    /// A ticket that is older, by this process's clock, is refused without a call.
    max_ticket_age: Duration,
}

/// How many ballots wait for a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeLoad {
    /// The ballots that wait. A ballot that a flush has taken is not among them.
    pub waiting: usize,
    /// The most ballots that may wait. Above that, votes are refused as overloaded.
    pub capacity: usize,
}

impl VoteService {
    pub(super) fn new(
        keys: KeyRing,
        ports: &Ports,
        intake: mpsc::Sender<PendingBallot>,
        recent: Arc<RecentBallots>,
        ingest: &IngestSettings,
        tickets: &TicketSettings,
    ) -> Self {
        let max_ticket_age = tickets.ttl + tickets.clock_skew;
        Self {
            keys,
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            intake,
            recent,
            max_votes: ingest.max_votes,
            max_ticket_age,
        }
    }

    /// Casts a ballot.
    pub(crate) async fn vote(&self, ballot: Ballot) -> Result<Outcome, Fault> {
        let ticket = match self.check(&ballot) {
            Ok(ticket) => ticket,
            Err(why) => {
                let ballot = ballot.id().unwrap_or_else(|| self.mint_ballot_id());
                return Ok(Outcome::Refused { ballot, why });
            }
        };
        let id = ballot.id();
        let about = |fault: Fault| id.map_or(fault.clone(), |id| fault.about(id));
        let (reply, answer) = oneshot::channel();
        let pending = PendingBallot {
            ballot,
            ticket,
            since: self.clock.monotonic(),
            reply,
        };
        self.intake.try_send(pending).map_err(|error| {
            about(Fault::new(match error {
                mpsc::error::TrySendError::Full(_) => FaultKind::Overloaded,
                mpsc::error::TrySendError::Closed(_) => FaultKind::Unavailable,
            }))
        })?;
        // The intake answers every ballot. If its task has died instead, how far the ballot came is not
        // known.
        answer
            .await
            .unwrap_or_else(|_| Err(about(Fault::new(FaultKind::OutcomeUnknown))))
    }

    /// Every check that needs no I/O.
    fn check(&self, ballot: &Ballot) -> Result<GenuineTicket, Refusal> {
        let limit = self.max_votes;
        let too_many = ballot
            .selections()
            .iter()
            .position(|s| s.votes.get() > limit);
        if let Some(at) = too_many {
            return Err(BallotError::TooManyVotes { at, limit }.into());
        }
        let ticket = ballot.ticket().and_then(|ticket| self.keys.verify(ticket));
        let ticket = ticket.ok_or(Refusal::TicketInvalid)?;
        if self.clock.now().since(ticket.issued_at()) >= self.max_ticket_age {
            return Err(Refusal::TicketExpired);
        }
        Ok(ticket)
    }

    /// An id for a ballot that is refused before a flush could give it one. The ballot has had no effect, so
    /// the id may belong to any partition.
    pub(crate) fn mint_ballot_id(&self) -> BallotId {
        let now = self.clock.now();
        BallotId::mint(Partition::new(0), Partitions::ONE, now, &*self.entropy)
    }

    /// How many ballots wait for a flush.
    pub(crate) fn intake(&self) -> IntakeLoad {
        let capacity = self.intake.max_capacity();
        IntakeLoad {
            waiting: capacity - self.intake.capacity(),
            capacity,
        }
    }

    /// The position of a ballot that this process saw acknowledged recently.
    pub(crate) fn logged_at(&self, id: BallotId) -> Option<LogPosition> {
        self.recent.position(id)
    }
}
