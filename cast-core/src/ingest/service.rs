//! The door: checks a ballot without asking anybody, hands it to the intake, waits for the answer.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::recent::Recent;
use crate::{
    domain::{
        Ballot, BallotError, BallotId, GenuineTicket, KeyRing, LogPosition, Outcome, Partition,
        Partitions, Refusal,
    },
    fault::{Fault, FaultKind},
    ports::{Clock, Entropy, Ports},
    settings::{IngestSettings, TicketSettings},
};

/// Where ballots come in.
pub(crate) struct VoteService {
    keys: KeyRing,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    intake: mpsc::Sender<Pending>,
    recent: Arc<Recent>,
    max_votes: u32,
    /// A ticket older than this, by our clock, is refused without asking.
    max_ticket_age: Duration,
}

/// How full an intake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeLoad {
    /// Ballots that wait for a flush; those that a flush has taken wait no longer.
    pub waiting: usize,
    /// How many may wait; one more is told that the door is overloaded.
    pub capacity: usize,
}

/// A ballot that passed all checks and waits for its flush.
pub(super) struct Pending {
    pub(super) ballot: Ballot,
    pub(super) ticket: GenuineTicket,
    /// When it was taken in, by the monotonic clock.
    pub(super) since: Duration,
    pub(super) reply: oneshot::Sender<Result<Outcome, Fault>>,
}

impl VoteService {
    pub(super) fn new(
        keys: KeyRing,
        ports: &Ports,
        intake: mpsc::Sender<Pending>,
        recent: Arc<Recent>,
        door: &IngestSettings,
        tickets: &TicketSettings,
    ) -> Self {
        let max_ticket_age = tickets.ttl + tickets.clock_skew;
        Self {
            keys,
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            intake,
            recent,
            max_votes: door.max_votes,
            max_ticket_age,
        }
    }

    /// Votes.
    pub(crate) async fn vote(&self, ballot: Ballot) -> Result<Outcome, Fault> {
        let ticket = match self.check(&ballot) {
            Ok(ticket) => ticket,
            Err(why) => {
                let ballot = ballot.id().unwrap_or_else(|| self.fresh_id());
                return Ok(Outcome::Refused { ballot, why });
            }
        };
        let id = ballot.id();
        let about = |fault: Fault| id.map_or(fault.clone(), |id| fault.about(id));
        let (reply, answer) = oneshot::channel();
        let pending = Pending {
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
        // The intake answers each ballot; if it died instead, nobody knows how far it came.
        answer
            .await
            .unwrap_or_else(|_| Err(about(Fault::new(FaultKind::OutcomeUnknown))))
    }

    /// Everything that can be known of a ballot without asking anybody.
    fn check(&self, ballot: &Ballot) -> Result<GenuineTicket, Refusal> {
        let limit = self.max_votes;
        let too_many = ballot
            .selections()
            .iter()
            .position(|s| s.votes.get() > limit);
        if let Some(at) = too_many {
            return Err(BallotError::TooManyVotes { at, limit }.into());
        }
        let ticket = self
            .keys
            .verify(ballot.ticket())
            .ok_or(Refusal::TicketInvalid)?;
        if self.clock.now().since(ticket.issued_at()) >= self.max_ticket_age {
            return Err(Refusal::TicketExpired);
        }
        Ok(ticket)
    }

    /// An id for a ballot that is refused before it had one. It leaves nothing behind, so any will do
    /// to send it again with.
    fn fresh_id(&self) -> BallotId {
        let (home, now) = (Partition::new(0), self.clock.now());
        BallotId::mint(home, Partitions::ONE, now, &*self.entropy)
    }

    /// How full the intake is.
    pub(crate) fn intake(&self) -> IntakeLoad {
        let capacity = self.intake.max_capacity();
        IntakeLoad {
            waiting: capacity - self.intake.capacity(),
            capacity,
        }
    }

    /// Where this door saw a ballot acknowledged.
    pub(crate) fn logged_at(&self, id: BallotId) -> Option<LogPosition> {
        self.recent.position(id)
    }
}
