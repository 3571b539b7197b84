//! Voters: the requests that they send, and the checks of the responses.

use std::time::Duration;

use cast_core::{
    Cast, Fault, FaultKind,
    domain::{
        Ballot, BallotError, BallotId, Candidate, Clock as _, LoggedBallot, Outcome, Partition,
        Partitions, Receipt, Refusal, Selections, Ticket,
    },
    ledger::Answer,
};

use super::{
    coverage::RareState,
    history::{Choice, Vote},
    instance::ProcessInstance,
    ledger::Variant,
    processes::Processes,
    sampler::{LowerBound, check_shown},
    truth::{Votes, add},
    world::{Promise, World},
};
use crate::{clock::ManualClock, entropy::mix};

/// How long a patient voter waits for a response.
const PATIENCE: Duration = Duration::from_secs(60);

/// One attempt of a voter.
struct Attempt {
    ticket: Ticket,
    ballot: Ballot,
    /// The least tallies that were to be shown when it began.
    lower_bound: LowerBound,
}

/// How an attempt ended.
#[derive(Debug)]
enum VoteResponse {
    Reply(Result<Outcome, Fault>),
    HungUp,
    ConnectionLost,
}

/// Whether the voter tries again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    TryAgain,
    Stop,
}

/// Carries out the plan of a voter.
pub(super) async fn vote(world: &World, processes: &Processes, plan: &Vote) {
    let name = format!("voter {}", plan.voter);
    let variants = variants(world, plan);
    let id = plan.own_id.then(|| own_id(world, plan.voter));
    let selections = variants.iter().map(|picks| selections(picks)).collect();
    world.ledger().begin(plan.voter, selections, id);
    let mut last_api = None;
    for attempt in 0..=plan.retries {
        let variant = usize::from(plan.alters && attempt == 1);
        let api = plan.api + if plan.roams { attempt as usize } else { 0 };
        if let Some(instance) = processes.api(api) {
            let id = world.ledger().voter(plan.voter).id;
            if id.is_some() && last_api.is_some_and(|last| last != instance.number()) {
                world.reached(RareState::SentElsewhere);
            }
            last_api = Some(instance.number());
            let picks = &variants[variant];
            let next = attempt_at(world, plan, &instance, (variant, picks, &name)).await;
            let again = plan.again && attempt < plan.retries;
            if next == Next::Stop && !again {
                return;
            }
            // Without an id of its own, a ballot that was sent again would be another one.
            if world.ledger().voter(plan.voter).id.is_none() && next == Next::Stop {
                return;
            }
        }
        world.clock.sleep(plan.pause).await;
    }
}

/// The contents of the voter's ballot, first and later.
fn variants(world: &World, plan: &Vote) -> Vec<Vec<(Candidate, u32)>> {
    let picks = plan.picks.iter();
    let picks = picks.map(|(candidate, votes)| (world.candidates[*candidate].clone(), *votes));
    let first: Vec<_> = picks.collect();
    let mut variants = vec![first.clone()];
    if plan.alters {
        let mut altered = first;
        altered[0].1 += 1;
        variants.push(altered);
    }
    variants
}

fn selections(picks: &[(Candidate, u32)]) -> Selections {
    ballot_of(Ticket::from_bytes([0; 32]), picks)
        .selections()
        .clone()
}

fn ballot_of(ticket: Ticket, picks: &[(Candidate, u32)]) -> Ballot {
    let picks = picks
        .iter()
        .map(|(candidate, votes)| (candidate.as_str(), *votes));
    let ballot = Ballot::new(ticket).select_all(picks);
    ballot.expect("one to three selections of at least a vote")
}

fn own_id(world: &World, voter: u32) -> BallotId {
    let entropy = world.seed.part(100 + u64::from(voter)).entropy();
    BallotId::mint(
        Partition::new(0),
        Partitions::ONE,
        ManualClock::START,
        &entropy,
    )
}

async fn attempt_at(
    world: &World,
    plan: &Vote,
    instance: &ProcessInstance,
    (variant, picks, name): (Variant, &[(Candidate, u32)], &str),
) -> Next {
    let Some(cast) = instance.cast() else {
        return Next::TryAgain;
    };
    let Some(ticket) = ticket(world, plan, instance, &cast).await else {
        return Next::TryAgain;
    };
    let ballot = ballot_of(ticket, picks).by(name).expect("a name");
    let id = world.ledger().voter(plan.voter).id;
    let ballot = match id {
        Some(id) => ballot.with_id(id),
        None => ballot,
    };
    let attempt = Attempt {
        ticket,
        ballot,
        lower_bound: LowerBound::now(world),
    };
    if variant == 1 {
        world.reached(RareState::SentAltered);
    }
    let sent = (plan.voter, variant);
    world.ledger().send(sent, &ticket);
    let response = send(world, plan, instance, &cast, attempt.ballot.clone()).await;
    world.trace(mix(plan.voter.into()) ^ response.code(), || {
        format!("{name} gets {response:?}")
    });
    world.ledger().answer(sent, &ticket, response.answer());
    handle(world, plan, &attempt, response)
}

/// The ticket that the voter votes with.
async fn ticket(
    world: &World,
    plan: &Vote,
    instance: &ProcessInstance,
    cast: &Cast,
) -> Option<Ticket> {
    match (plan.ticket, world.old_ticket()) {
        (Choice::Forged, _) => return Some(Ticket::from_bytes([7; 32])),
        (Choice::Old, Some(old)) => return Some(old),
        _ => {}
    }
    match instance.state.unless_ended(cast.current_ticket()).await? {
        Ok(current) => {
            world.saw_ticket(current.id);
            Some(current.id)
        }
        Err(fault) => {
            if fault.kind() == FaultKind::NoTicket {
                world.reached(RareState::NoTicket);
            }
            None
        }
    }
}

async fn send(
    world: &World,
    plan: &Vote,
    instance: &ProcessInstance,
    cast: &Cast,
    ballot: Ballot,
) -> VoteResponse {
    let patience = world.clock.sleep(plan.patience.min(PATIENCE));
    let vote = async {
        // A frozen process accepts nothing.
        instance.state.running().await;
        cast.vote(ballot).await
    };
    tokio::select! {
        biased;
        answer = instance.state.unless_ended(vote) => {
            answer.map_or(VoteResponse::ConnectionLost, VoteResponse::Reply)
        }
        () = patience => VoteResponse::HungUp,
    }
}

/// Handles a response. Returns what the voter does next.
fn handle(world: &World, plan: &Vote, attempt: &Attempt, response: VoteResponse) -> Next {
    match response {
        VoteResponse::HungUp => {
            world.reached(RareState::HungUp);
            if plan.patience >= PATIENCE {
                let how = || format!("voter {} got no answer in {PATIENCE:?}", plan.voter);
                world.violated(Promise::Liveness, how);
            }
            world.ledger().voter(plan.voter).hung_up = true;
            may_try_again(attempt)
        }
        VoteResponse::ConnectionLost => {
            world.reached(RareState::ConnectionLost);
            may_try_again(attempt)
        }
        VoteResponse::Reply(Ok(Outcome::Accepted(receipt))) => {
            accepted(world, plan, attempt, &receipt);
            Next::Stop
        }
        VoteResponse::Reply(Ok(Outcome::Refused { why, .. })) => {
            refused(world, plan, &why);
            Next::TryAgain
        }
        VoteResponse::Reply(Err(fault)) => failed(world, plan, attempt, &fault),
    }
}

/// Without an id, a ballot with an unknown outcome cannot be sent again.
fn may_try_again(attempt: &Attempt) -> Next {
    match attempt.ballot.id() {
        Some(_) => Next::TryAgain,
        None => Next::Stop,
    }
}

fn refused(world: &World, plan: &Vote, why: &Refusal) {
    world.reached(match why {
        Refusal::TicketInvalid => RareState::TicketInvalid,
        Refusal::TicketExpired => RareState::VoterTicketExpired,
        Refusal::TicketExhausted => RareState::VoterTicketExhausted,
        Refusal::BadBallot(_) => RareState::AlteredRefused,
    });
    if let Refusal::BadBallot(error) = why
        && !(plan.alters && *error == BallotError::Altered)
    {
        let how = || {
            format!(
                "voter {} never altered the ballot, and got: {why}",
                plan.voter
            )
        };
        world.violated(Promise::Liveness, how);
    }
}

fn failed(world: &World, plan: &Vote, attempt: &Attempt, fault: &Fault) -> Next {
    let state = match fault.kind() {
        FaultKind::Overloaded => RareState::Overloaded,
        FaultKind::Unavailable => RareState::Unavailable,
        FaultKind::NoTicket => RareState::NoTicket,
        FaultKind::OutcomeUnknown | FaultKind::Internal => RareState::OutcomeUnknown,
    };
    world.reached(state);
    if answer_of(fault) == Answer::Refused {
        return Next::TryAgain;
    }
    match fault.ballot() {
        Some(id) => {
            world.ledger().voter(plan.voter).id = Some(id);
            Next::TryAgain
        }
        None => may_try_again(attempt),
    }
}

/// Checks the receipt of an accepted ballot.
fn accepted(world: &World, plan: &Vote, attempt: &Attempt, receipt: &Receipt) {
    world.reached(if receipt.repeated {
        RareState::Duplicate
    } else {
        RareState::Accepted
    });
    if receipt.stale {
        world.reached(RareState::StaleTallies);
    }
    if plan.again {
        world.reached(RareState::SentAgainAnyway);
    }
    check_logged(world, plan.voter, attempt, receipt);
    let own = votes_of(attempt.ballot.selections());
    // Where ids were lost, it may have been recorded before, and the tally shown has it once.
    let is_recorded = !receipt.repeated && receipt.position.is_some() && !world.truth().ids_lost;
    let mut lower_bound = (!receipt.stale).then(|| attempt.lower_bound.clone());
    if let (Some(lower_bound), true) = (&mut lower_bound, is_recorded) {
        add(&mut lower_bound.least, &own);
    }
    check_shown(world, &receipt.tallies, lower_bound.as_ref());
    let bought = {
        let mut ledger = world.ledger();
        ledger.receipt(plan.voter, receipt, own);
        ledger.uses(&attempt.ticket)
    };
    if bought > u64::from(world.setup.ticket_uses) {
        let how = || format!("{bought} voters got a receipt for the same ticket");
        world.violated(Promise::TicketLimit, how);
    }
}

/// An acknowledged ballot is in the log, as it was sent, at the position of the receipt.
fn check_logged(world: &World, voter: u32, attempt: &Attempt, receipt: &Receipt) {
    let truth = world.truth();
    let position = receipt.position.or_else(|| truth.first(receipt.ballot));
    let record = position.and_then(|position| truth.log.get(&position));
    let is_it = |ballot: &&LoggedBallot| {
        ballot.id == receipt.ballot && ballot.selections == *attempt.ballot.selections()
    };
    let is_logged = record.is_some_and(|record| record.iter().any(|ballot| is_it(&ballot)));
    let knows_position = receipt.position.is_some() || !truth.ids_lost;
    drop(truth);
    if !is_logged && knows_position {
        let how = || format!("the log does not have the ballot of voter {voter} at {position:?}");
        world.violated(Promise::AcknowledgedIsLogged, how);
    }
}

fn votes_of(selections: &Selections) -> Votes {
    let mut votes = Votes::new();
    for selection in selections.iter() {
        *votes.entry(selection.candidate.clone()).or_default() += u64::from(selection.votes.get());
    }
    votes
}

/// What a fault says of the ballot.
const fn answer_of(fault: &Fault) -> Answer {
    match fault.kind() {
        FaultKind::Overloaded | FaultKind::Unavailable | FaultKind::NoTicket => Answer::Refused,
        FaultKind::OutcomeUnknown | FaultKind::Internal => Answer::Unknown,
    }
}

impl VoteResponse {
    /// What it says of the ballot.
    fn answer(&self) -> Answer {
        match self {
            Self::HungUp | Self::ConnectionLost => Answer::Unknown,
            Self::Reply(Ok(Outcome::Accepted(receipt))) if receipt.repeated => Answer::Duplicate,
            Self::Reply(Ok(Outcome::Accepted(_))) => Answer::Accepted,
            Self::Reply(Ok(Outcome::Refused { .. })) => Answer::Refused,
            Self::Reply(Err(fault)) => answer_of(fault),
        }
    }

    /// A hash of the response.
    fn code(&self) -> u64 {
        match self {
            Self::HungUp => 1,
            Self::ConnectionLost => 2,
            Self::Reply(Ok(Outcome::Accepted(receipt))) => {
                let shown = receipt.tallies.iter().map(|tally| tally.votes);
                let at = receipt.position.map_or(0, |at| at.offset.get());
                mix(3 + at) ^ mix(shown.sum::<u64>() ^ u64::from(receipt.stale))
            }
            Self::Reply(Ok(Outcome::Refused { why, .. })) => mix(4 + why.to_string().len() as u64),
            Self::Reply(Err(fault)) => mix(5 + fault.kind() as u64),
        }
    }
}
