//! The generator: at every moment one ticket is good, whichever generator dies.

mod world;

use std::time::Duration;

use cast_core::{
    Generator,
    domain::{KeyId, KeyRing, Timestamp},
    ports::{PortErrorKind, TicketSource as _},
};
use world::World;

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
async fn another_generators_ticket_of_a_foreign_key_is_told_as_misconfigured() {
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
