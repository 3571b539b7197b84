//! Each fault does what its name says, each interceptor what its doc says.

use std::{sync::Arc, time::Duration};

use cast_adapters::memory;
use cast_core::{
    Ports,
    domain::{Candidate, Clock, Offset, Partition, Partitions},
    ports::{PortError, PortErrorKind, VoteStore},
};
use cast_testkit::{
    ManualClock, Seed, dropped_after,
    faults::{Counts, Fault, FaultPlan, Gate, Moment, Odds, Operation},
    fixtures::{Fixtures, Progress, step},
};

const P0: Partition = Partition::new(0);

fn good_ports() -> (Arc<ManualClock>, Ports) {
    let clock = Arc::new(ManualClock::new());
    let entropy = Arc::new(Seed::new(1).entropy());
    let ports = memory::ports_on(Arc::clone(&clock) as Arc<dyn Clock>, entropy);
    (clock, ports)
}

fn kind<T: std::fmt::Debug>(result: Result<T, PortError>) -> PortErrorKind {
    result.expect_err("the plan says so").kind()
}

/// A store with one step to apply, behind a plan.
struct Setup {
    plan: Arc<FaultPlan>,
    clock: Arc<ManualClock>,
    store: Arc<dyn VoteStore>,
    inner: Arc<dyn VoteStore>,
    alice: Candidate,
    step: cast_core::domain::FoldStep,
}

impl Setup {
    fn new() -> Self {
        let (clock, ports) = good_ports();
        let plan = FaultPlan::quiet(Arc::clone(&clock) as Arc<dyn Clock>);
        let fixtures = Fixtures::of(Seed::new(2));
        let alice = fixtures.candidate("alice");
        Self {
            store: ports.intercepted(&plan).store,
            inner: ports.store,
            step: step(P0, (0, 1), [(0, fixtures.ballot(&[(&alice, 3)]))]),
            alice,
            plan,
            clock,
        }
    }

    /// Whether the step was applied, by the store itself.
    async fn happened(&self) -> bool {
        let tallies = self.inner.tallies(std::slice::from_ref(&self.alice)).await;
        tallies.expect("memory answers")[0].tally().votes == 3
    }
}

#[tokio::test]
async fn what_happens_and_what_the_caller_learns_are_independent() {
    for (fault, happens, error) in [
        (
            Fault::DoneOutcomeUnknown,
            true,
            PortErrorKind::OutcomeUnknown,
        ),
        (Fault::Refused, false, PortErrorKind::Unavailable),
        (Fault::Lost, false, PortErrorKind::OutcomeUnknown),
    ] {
        let setup = Setup::new();
        setup.plan.next(Operation::Apply, fault);
        assert_eq!(
            kind(setup.store.apply(&setup.step).await),
            error,
            "{fault:?}"
        );
        assert_eq!(setup.happened().await, happens, "{fault:?}");
        setup
            .store
            .apply(&setup.step)
            .await
            .expect("one fault, one call");
        assert!(setup.happened().await);
    }
}

#[tokio::test]
async fn silence_lasts_until_the_caller_gives_up() {
    for (fault, happens) in [(Fault::DoneNoReply, true), (Fault::LostNoReply, false)] {
        let setup = Setup::new();
        setup.plan.next(Operation::Apply, fault);
        let answer = dropped_after(1, setup.store.apply(&setup.step)).await;
        assert!(answer.is_none(), "{fault:?}");
        assert_eq!(setup.happened().await, happens, "{fault:?}");
    }
}

#[tokio::test]
async fn a_delay_is_by_the_clock() {
    let setup = Setup::new();
    let delay = Duration::from_secs(3);
    setup.plan.next(Operation::Apply, Fault::Delayed(delay));
    let moving = async {
        setup.clock.until_sleepers(1).await;
        assert!(!setup.happened().await);
        setup.clock.advance(delay);
    };
    let (applied, ()) = tokio::join!(setup.store.apply(&setup.step), moving);
    applied.expect("late, and well");
    assert!(setup.happened().await);
}

#[tokio::test]
async fn what_is_held_back_happens_after_a_later_call_of_its_kind() {
    let setup = Setup::new();
    setup.plan.next(Operation::Apply, Fault::HeldBack);
    let error = kind(setup.store.apply(&setup.step).await);
    assert_eq!(error, PortErrorKind::OutcomeUnknown);
    setup.store.progress(P0).await.expect("memory answers");
    assert!(
        !setup.happened().await,
        "another operation does not bring it"
    );
    let other = step(Partition::new(1), (0, 9), []);
    setup.store.apply(&other).await.expect("memory answers");
    assert!(setup.happened().await);

    let setup = Setup::new();
    setup.plan.next(Operation::Apply, Fault::HeldBack);
    drop(setup.store.apply(&setup.step).await);
    assert_eq!(setup.plan.deliver_held().await, 1);
    assert!(setup.happened().await, "delivered by hand");
    assert_eq!(setup.plan.deliver_held().await, 0);
}

#[tokio::test]
async fn a_record_can_be_in_the_log_twice() {
    let (clock, ports) = good_ports();
    let plan = FaultPlan::quiet(clock);
    let bus = ports.intercepted(&plan).bus;
    let record = Fixtures::of(Seed::new(3)).record(P0, Partitions::ONE, 2);
    plan.next(Operation::Publish, Fault::Twice);
    let published = bus.publish(std::slice::from_ref(&record)).await;
    let position = published[0].as_ref().expect("published").position;
    assert_eq!(
        position.map(|position| position.offset),
        Some(Offset::START),
        "the first"
    );

    let group = Fixtures::of(Seed::new(4)).group("reader");
    let resume = Arc::new(Progress::at_start());
    let mut log = bus.subscribe(&group, 100, resume).await.expect("a member");
    let entries = log.next().await.expect("a batch").entries;
    let contents: Vec<_> = entries.into_iter().map(|entry| entry.content).collect();
    assert_eq!(
        contents,
        [Ok(record.ballots().clone()), Ok(record.ballots().clone())]
    );
}

#[tokio::test]
async fn a_fault_of_a_publish_is_the_result_of_each_record() {
    let (clock, ports) = good_ports();
    let plan = FaultPlan::quiet(clock);
    let bus = ports.intercepted(&plan).bus;
    let fixtures = Fixtures::of(Seed::new(5));
    let records = [1, 2].map(|ballots| fixtures.record(P0, Partitions::ONE, ballots));
    plan.always(Operation::Publish, Fault::Lost);
    for _ in 0..3 {
        let results = bus.publish(&records).await;
        let kinds: Vec<_> = results.into_iter().map(kind).collect();
        assert_eq!(kinds, [PortErrorKind::OutcomeUnknown; 2]);
    }
    plan.clear();
    assert!(bus.publish(&records).await.iter().all(Result::is_ok));
    assert_eq!(
        plan.injected()[&(Operation::Publish, "lost, outcome unknown")],
        3
    );
    assert!(plan.to_string().contains("bus.publish"), "{plan}");
}

#[tokio::test]
async fn a_batch_that_was_not_handed_out_is_not_skipped() {
    let (clock, ports) = good_ports();
    let plan = FaultPlan::quiet(clock);
    let bus = ports.intercepted(&plan).bus;
    let fixtures = Fixtures::of(Seed::new(6));
    let published = bus
        .publish(&[fixtures.record(P0, Partitions::ONE, 1)])
        .await;
    assert!(published[0].is_ok());
    let resume = Arc::new(Progress::at_start());
    let mut log = bus
        .subscribe(&fixtures.group("reader"), 9, resume)
        .await
        .expect("a member");
    for fault in [
        Fault::DoneOutcomeUnknown,
        Fault::Refused,
        Fault::Lost,
        Fault::HeldBack,
    ] {
        plan.next(Operation::Next, fault);
        kind(log.next().await);
    }
    for fault in [Fault::DoneNoReply, Fault::LostNoReply] {
        plan.next(Operation::Next, fault);
        assert!(dropped_after(2, log.next()).await.is_none());
    }
    assert_eq!(log.next().await.expect("a batch").start, Offset::START);
}

#[tokio::test]
async fn a_seed_gives_the_same_faults_again() {
    let run = async |seed| {
        let (clock, ports) = good_ports();
        let odds = Odds::none().of(Fault::Refused, 200).of(Fault::Twice, 100);
        let plan = FaultPlan::seeded(clock, Seed::new(seed), odds);
        let store = ports.intercepted(&plan).store;
        let mut succeeded = Vec::new();
        for _ in 0..200 {
            succeeded.push(store.progress(P0).await.is_ok());
        }
        (succeeded, plan.injected())
    };
    assert_eq!(run(7).await, run(7).await);
    assert_ne!(run(7).await, run(8).await);
    let (succeeded, injected) = run(7).await;
    let refused = succeeded.iter().filter(|succeeded| !**succeeded).count() as u64;
    assert!((20..60).contains(&refused), "{refused} of 200");
    assert_eq!(injected[&(Operation::Progress, "refused")], refused);
}

#[tokio::test]
async fn calls_and_what_they_are_about_are_counted() {
    let (_, ports) = good_ports();
    let counts = Counts::new();
    let counted = ports.intercepted(&counts);
    let fixtures = Fixtures::of(Seed::new(9));
    let records = [3, 4].map(|ballots| fixtures.record(P0, Partitions::ONE, ballots));
    counted.bus.publish(&records).await;
    counted.bus.publish(&records[..1]).await;
    assert_eq!(counts.calls(Operation::Publish), 2);
    assert_eq!(counts.items(Operation::Publish), 10);
    assert_eq!(counts.calls(Operation::Apply), 0);
    assert!(counts.to_string().contains("bus.publish"), "{counts}");
    counts.reset();
    assert_eq!(counts.calls(Operation::Publish), 0);
}

#[tokio::test]
async fn a_closed_gate_holds_calls_before_or_after_they_happen() {
    for (moment, happened) in [(Moment::Before, false), (Moment::After, true)] {
        let setup = Setup::new();
        let gate = Gate::new();
        let gated = Ports {
            store: Arc::clone(&setup.inner),
            ..good_ports().1
        };
        let store = gated.intercepted(&gate).store;
        gate.close(Operation::Apply, moment);
        let apply = || {
            let (store, step) = (Arc::clone(&store), setup.step.clone());
            tokio::spawn(async move { store.apply(&step).await })
        };
        let calls = [apply(), apply(), apply()];
        gate.until_waiting(Operation::Apply, moment, 3).await;
        assert_eq!(setup.happened().await, happened, "{moment:?}");

        gate.let_through(Operation::Apply, moment, 1);
        while gate.waiting(Operation::Apply, moment) > 2 {
            tokio::task::yield_now().await;
        }
        let [crashed, rest @ ..] = calls;
        crashed.abort();
        gate.open(Operation::Apply, moment);
        for call in rest {
            call.await.expect("not aborted").expect("memory answers");
        }
        assert_eq!(gate.waiting(Operation::Apply, moment), 0);
        assert!(setup.happened().await);
    }
}
