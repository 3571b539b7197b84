//! The generator: at every moment one ticket is good, whichever generator dies.

mod world;

use std::time::Duration;

use cast_core::{
    Generator, Ports,
    domain::{KeyId, KeyRing, Timestamp},
    ports::{PortErrorKind, TicketSource as _},
};
use cast_testkit::faults::{Fault, FaultPlan, Operation};
use tokio_util::sync::CancellationToken;
use tracing::Level;
use world::{World, log::Log};

const PERIOD: Duration = Duration::from_secs(2);

#[tokio::test]
async fn two_generators_agree_on_one_ticket_a_period() {
    let world = World::new(1);
    let (one, two) = (world.generator(), world.generator());
    for _ in 0..10 {
        one.tick().await.expect("published");
        let first = world
            .tickets
            .current()
            .await
            .expect("an answer")
            .expect("a ticket");
        two.tick().await.expect("adopted");
        let second = world
            .tickets
            .current()
            .await
            .expect("an answer")
            .expect("a ticket");
        assert_eq!(first, second);
        world.clock.advance(PERIOD);
    }
}

#[tokio::test]
async fn there_is_no_gap_between_periods_and_each_ticket_begins_with_its_own() {
    let world = World::new(1);
    let generator = world.generator();
    let mut seen = Vec::new();
    let mut due = Duration::ZERO;
    for _ in 0..100 {
        if due.is_zero() {
            due = generator.tick().await.expect("published");
        }
        let ticket = world
            .tickets
            .current()
            .await
            .expect("an answer")
            .expect("no gap");
        assert_eq!(ticket.id.issued_at(), world.now().period_start(PERIOD));
        assert_eq!(ticket.valid_until, ticket.id.issued_at().plus(PERIOD));
        seen.push(ticket.id);
        let step = Duration::from_millis(100);
        world.clock.advance(step);
        due = due.saturating_sub(step);
    }
    seen.dedup();
    assert_eq!(seen.len(), 5, "ten seconds are five periods");
}

#[tokio::test]
async fn a_generator_that_dies_leaves_a_ticket_for_the_next_period() {
    let world = World::new(1);
    world.generator().tick().await.expect("published");
    world.clock.advance(PERIOD);
    assert!(world.tickets.current().await.expect("an answer").is_some());
    world.clock.advance(PERIOD);
    assert!(world.tickets.current().await.expect("an answer").is_none());
}

#[tokio::test]
async fn the_sources_clock_decides_which_period_it_is() {
    let world = World::new(1);
    world.clock.jump(Timestamp::from_unix_ms(1_700_000_001_999));
    let due = world.generator().tick().await.expect("published");
    assert_eq!(due, Duration::from_millis(1), "half a period ends then");
    let ticket = world
        .tickets
        .current()
        .await
        .expect("an answer")
        .expect("a ticket");
    assert_eq!(
        ticket.id.issued_at(),
        Timestamp::from_unix_ms(1_700_000_000_000)
    );
}

#[tokio::test]
async fn another_generators_ticket_of_a_foreign_key_is_reported_as_misconfigured() {
    let world = World::new(1);
    world.generator().tick().await.expect("published");
    let foreign = KeyRing::new([(KeyId::new(9), [9; 32])]).expect("a ring");
    let other = Generator::new(&world.ports(), foreign, world.settings.tickets.clone());
    let error = other.tick().await.expect_err("not ours");
    assert_eq!(error.kind(), PortErrorKind::Misconfigured);
    assert!(error.chain().contains("key ring"), "{}", error.chain());
}

#[tokio::test]
async fn a_source_that_forgot_everything_has_a_ticket_again_with_the_next_tick() {
    let world = World::new(1);
    let due = world.generator().tick().await.expect("published");
    assert!(due <= PERIOD / 2);
    world.tickets.forget();
    assert!(world.tickets.current().await.expect("an answer").is_none());
    world.clock.advance(due);
    world.generator().tick().await.expect("published");
    assert!(world.tickets.current().await.expect("an answer").is_some());
}

/// A generator that ticks by itself until the token that comes with it is cancelled.
fn running(world: &World, ports: &Ports) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let settings = world.settings.tickets.clone();
    let generator = Generator::new(ports, world.keys.clone(), settings);
    let stop = CancellationToken::new();
    (stop.clone(), tokio::spawn(generator.run(stop)))
}

/// Lets the generator sleep out its next pause, and returns how long that was.
async fn next_pause(world: &World) -> Duration {
    world.clock.until_sleepers(1).await;
    let pause = world.clock.advance_to_next_sleeper(Duration::MAX);
    pause.expect("it sleeps")
}

#[tokio::test]
async fn a_running_generator_ticks_twice_a_period_until_it_is_stopped() {
    let world = World::new(1);
    let (stop, run) = running(&world, &world.ports());
    for _ in 0..10 {
        assert_eq!(next_pause(&world).await, PERIOD / 2);
        let current = world.tickets.current().await.expect("an answer");
        let ticket = current.expect("no gap").id;
        assert_eq!(ticket.issued_at(), world.now().period_start(PERIOD));
    }
    stop.cancel();
    let stopped = cast_testkit::within(Duration::from_secs(10), "it stops", run);
    stopped.await.expect("no panic");
}

#[tokio::test]
async fn a_failing_generator_tries_again_soon_then_less_often_and_anew_after_a_success() {
    let world = World::new(1);
    let plan = FaultPlan::quiet(world.clock.clone());
    plan.always(Operation::PublishTicket, Fault::Refused);
    let (_stop, _run) = running(&world, &world.ports().intercepted(&plan));
    let mut pauses = Vec::new();
    for _ in 0..6 {
        pauses.push(next_pause(&world).await.as_millis());
    }
    assert_eq!(pauses, [50, 100, 200, 400, 500, 500]);
    world.clock.until_sleepers(1).await;
    plan.clear();
    next_pause(&world).await;
    world.clock.until_sleepers(1).await;
    assert!(world.tickets.current().await.expect("an answer").is_some());
    plan.always(Operation::PublishTicket, Fault::Refused);
    assert!(
        next_pause(&world).await <= PERIOD / 2,
        "what worked is due again then"
    );
    assert_eq!(next_pause(&world).await, Duration::from_millis(50));
}

#[tokio::test]
async fn a_source_that_is_silent_for_half_a_period_is_given_up() {
    for operation in [Operation::Now, Operation::PublishTicket] {
        let world = World::new(1);
        let plan = FaultPlan::quiet(world.clock.clone());
        plan.next(operation, Fault::LostNoReply);
        let settings = world.settings.tickets.clone();
        let ports = world.ports().intercepted(&plan);
        let generator = Generator::new(&ports, world.keys.clone(), settings);
        let tick = tokio::spawn(async move { generator.tick().await });
        world.clock.until_sleepers(1).await;
        let limit = world.clock.advance_to_next_sleeper(Duration::MAX);
        assert_eq!(limit, Some(PERIOD / 2), "{operation}");
        let error = tick.await.expect("no panic").expect_err("no answer");
        assert_eq!(error.kind(), PortErrorKind::OutcomeUnknown, "{operation}");
    }
}

/// One thread, so that all that is logged goes to the log of the test.
#[tokio::test]
async fn another_generator_with_other_settings_is_reported_and_one_with_the_same_is_not() {
    let warnings = async |change: fn(&mut World)| {
        let log = Log::default();
        let _logging = tracing::subscriber::set_default(log.clone());
        let mut world = World::new(1);
        world.generator().tick().await.expect("published");
        change(&mut world);
        world.generator().tick().await.expect("adopted");
        log.count(Level::WARN, "with other settings")
    };
    assert_eq!(warnings(|_| ()).await, 0);
    let once = 1;
    assert_eq!(warnings(|w| w.settings.tickets.uses += 1).await, once);
    assert_eq!(warnings(|w| w.settings.tickets.ttl *= 2).await, once);
}
