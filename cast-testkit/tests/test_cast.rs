//! A CAST in a test: no sleeping, faults on demand, and the promises under all of them.

use std::{collections::BTreeMap, future::ready, sync::Arc, time::Duration};

use cast_adapters::memory::{self, BusOptions, MemoryBus};
use cast_core::{
    FaultKind, Ports, Settings,
    domain::{Ballot, BallotId, Clock, Entropy, Fate, Outcome, Partitions, Refusal},
};
use cast_testkit::{
    Seed, TestCast, dropped_after, eventually,
    faults::{Counts, Fault, FaultPlan, Gate, Moment, Odds, Operation},
    fixtures::Fixtures,
    race,
};

const PERIOD: Duration = Duration::from_secs(2);

#[tokio::test]
async fn tickets_follow_each_other_without_a_gap() {
    let mut test = TestCast::start(memory::ports_on).await;
    let mut before = test.ticket().await;
    for _ in 0..5 {
        test.advance(Duration::from_millis(1_999)).await;
        assert_eq!(test.ticket().await, before, "until its very end");
        test.advance(Duration::from_millis(1)).await;
        let next = test.ticket().await;
        assert_ne!(next, before, "the next is there at once");
        before = next;
    }
    test.advance(Duration::from_secs(60)).await;
    assert_ne!(test.ticket().await, before);
}

#[tokio::test]
async fn without_a_generator_tickets_end() {
    let test = TestCast::start(memory::ports_on).await;
    test.clock().advance(2 * PERIOD);
    let fault = test
        .cast()
        .current_ticket()
        .await
        .expect_err("no generator issues tickets");
    assert_eq!(fault.kind(), FaultKind::NoTicket);
}

#[tokio::test]
async fn a_vote_shows_at_once_and_is_stored_by_a_drain() {
    let mut test = TestCast::start(memory::ports_on).await;
    let ballot = test.ballot([("alice", 2), ("bob", 1)]).await;
    test.cast().vote(ballot).await.expect("an answer");
    assert_eq!(
        (test.shown("alice").await, test.stored("alice").await),
        (2, 0)
    );
    test.drain().await;
    assert_eq!(
        (test.shown("alice").await, test.stored("alice").await),
        (2, 2)
    );
    assert_eq!(test.stored("bob").await, 1);
}

#[tokio::test]
async fn a_seed_gives_the_same_tickets_again() {
    let ticket = async |seed| {
        let settings = Settings::default();
        TestCast::start_with(settings, Seed::new(seed), memory::ports_on)
            .await
            .ticket()
            .await
    };
    assert_eq!(ticket(1).await, ticket(1).await);
    assert_ne!(ticket(1).await, ticket(2).await);
}

#[tokio::test]
async fn two_vote_services_share_the_uses_of_a_ticket() {
    let test = TestCast::start(memory::ports_on).await;
    let apis = [test.cast().clone(), test.another_api().await];
    let mut accepted = 0;
    for number in 0..150 {
        let ballot = test.ballot([("alice", 1)]).await;
        let outcome = apis[number % 2].vote(ballot).await.expect("an answer");
        accepted += u32::from(matches!(outcome, Outcome::Accepted(_)));
    }
    assert_eq!(accepted, 100);
}

/// Port calls a ballot shrink while load grows: the flushes in flight are few, and what comes
/// meanwhile waits for the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn port_calls_a_ballot_fall_as_load_rises() {
    let mut calls = Vec::new();
    for voters in [1, 64] {
        let (counts, gate) = (Counts::new(), Gate::new());
        let ports = |clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>| {
            let counted = memory::ports_on(clock, entropy).intercepted(&counts);
            counted.intercepted(&gate)
        };
        let mut settings = Settings::default();
        settings.tickets.uses = 10_000;
        let test = TestCast::start_with(settings, Seed::from_env_or_random(), ports).await;
        let ballot = test.ballot([("alice", 1)]).await;
        // A slow log, whose time is counted in votes instead of by a clock: it goes on when all
        // voters wait for it.
        counts.reset();
        for _ in 0..10 {
            gate.close(Operation::Publish, Moment::Before);
            let opening = async {
                eventually(
                    Duration::from_secs(60),
                    "all slots to be busy, or all to vote",
                    || {
                        let waiting = gate.waiting(Operation::Publish, Moment::Before);
                        let taken =
                            counts.items(Operation::Redeem) - counts.items(Operation::Publish);
                        ready((waiting == 4 || taken == voters as u64).then_some(()))
                    },
                )
                .await;
                gate.open(Operation::Publish, Moment::Before);
            };
            let (cast, ballot) = (test.cast().clone(), ballot.clone());
            let voting = race(voters, |_| {
                let (cast, ballot) = (cast.clone(), ballot.clone());
                async move { cast.vote(ballot).await.expect("an answer") }
            });
            tokio::join!(voting, opening);
        }
        let ballots = counts.items(Operation::Publish);
        assert_eq!(ballots, 10 * voters as u64);
        let all = [Operation::Redeem, Operation::Publish, Operation::Record];
        let made: u64 = all.iter().map(|operation| counts.calls(*operation)).sum();
        calls.push(made * 100 / ballots);
    }
    let [alone, crowded] = calls[..] else {
        unreachable!("two runs")
    };
    assert_eq!(alone, 300, "of a hundred ballots, each alone");
    assert!(
        crowded < alone / 3,
        "{crowded} calls for a hundred ballots of a crowd"
    );
}

/// The promises, over many histories of votes and retries through ports that fail in every way.
#[tokio::test]
async fn the_promises_hold_whatever_the_ports_do() {
    let seed = Seed::from_env_or_random();
    let mut fired = BTreeMap::new();
    let again = history_of(seed.part(0)).await.injected();
    for history in 0..12 {
        let plan = history_of(seed.part(history)).await;
        assert!(
            history > 0 || plan.injected() == again,
            "a seed gives the same history again"
        );
        for ((_, fault), count) in plan.injected() {
            *fired.entry(fault).or_insert(0) += count;
        }
    }
    // A fault that never fired has proven nothing.
    for fault in [
        Fault::DoneOutcomeUnknown,
        Fault::DoneNoReply,
        Fault::Refused,
        Fault::Lost,
        Fault::LostNoReply,
        Fault::Delayed(Duration::ZERO),
        Fault::Twice,
        Fault::HeldBack,
    ] {
        assert!(
            fired.contains_key(fault.name()),
            "{fault:?} never fired: {fired:?}"
        );
    }
}

/// The answer to a voter's ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accepted,
    Refused,
    /// Of a try that may count or not.
    Unknown,
}

async fn history_of(seed: Seed) -> Arc<FaultPlan> {
    let mut faults = None;
    let ports = |clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>| {
        let plan = FaultPlan::quiet(Arc::clone(&clock));
        let bus = MemoryBus::with_options(
            Partitions::new(3).expect("three"),
            BusOptions::default().retain_all(),
        );
        let good = memory::ports_on(clock, entropy);
        let good = Ports {
            bus: Arc::new(bus),
            ..good
        };
        let faulty = good.intercepted(&plan);
        faults = Some((plan, good));
        faulty
    };
    let mut test = TestCast::start_with(Settings::default(), seed, ports).await;
    let (plan, good) = faults.expect("made at the start");
    plan.randomly(seed, Odds::some_of_all());
    let fixtures = Fixtures::of(seed.part(1));
    let mut ledger = BTreeMap::new();
    for _ in 0..40 {
        let id = fixtures.ballot_id();
        let answer = vote_until_answered(&mut test, id).await;
        ledger.insert(id, answer);
        if fixtures.entropy().below(8) == 0 {
            // A fold that fails half way is one more fault.
            drop(dropped_after(1, test.consume()).await);
        }
    }
    plan.clear();
    plan.deliver_held().await;
    test.drain().await;
    check(&good, &ledger).await;
    plan
}

/// Sends a ballot again and again under its id, as a client does that wants to know.
async fn vote_until_answered(test: &mut TestCast, id: BallotId) -> Answer {
    let mut last = Answer::Refused;
    for _ in 0..4 {
        let cast = test.cast().clone();
        let Ok(ticket) = test.patiently(cast.current_ticket()).await else {
            test.advance(PERIOD).await;
            continue;
        };
        let ballot = Ballot::new(ticket.id)
            .select("alice", 1)
            .expect("a ballot")
            .with_id(id);
        match test.patiently(cast.vote(ballot)).await {
            Ok(Outcome::Accepted(receipt)) => {
                assert_eq!(receipt.ballot, id);
                return Answer::Accepted;
            }
            Ok(Outcome::Refused { ballot, why }) => {
                assert_eq!(ballot, id);
                assert_ne!(why, Refusal::TicketInvalid, "no use counter was lost");
            }
            Err(fault) if fault.kind() == FaultKind::OutcomeUnknown => last = Answer::Unknown,
            Err(fault) => assert!(fault.is_retryable(), "{fault:?}"),
        }
    }
    last
}

async fn check(good: &Ports, ledger: &BTreeMap<BallotId, Answer>) {
    let mut counted = 0;
    for (id, answer) in ledger {
        let fate = good.store.ballot(*id).await.expect("memory answers");
        let counts = matches!(fate, Some(Fate::Counted(_)));
        assert!(
            counts || *answer != Answer::Accepted,
            "{id} was acknowledged, and is {fate:?}"
        );
        assert!(
            !counts || *answer != Answer::Refused,
            "{id} was refused, and is {fate:?}"
        );
        counted += u64::from(counts);
    }
    let stored = good.store.leaders(9).await.expect("memory answers");
    assert_eq!(
        stored.iter().map(|leader| leader.votes).sum::<u64>(),
        counted,
        "each ballot once"
    );
    let recount = good.store.recount().await.expect("memory answers").votes();
    assert_eq!(recount.iter().map(|(_, votes)| votes).sum::<u64>(), counted);
}
