//! A server that is down is told of when it goes and when it is back, however many votes it fails.

mod world;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cast_core::{Cast, domain::Ballot};
use cast_testkit::faults::{Fault, FaultPlan, Operation, intercept};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use world::{World, ballot, current};

/// What was logged: level and text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Level, String)>>>);

impl Log {
    fn lines(&self) -> Vec<(Level, String)> {
        self.0.lock().expect("nobody panicked").clone()
    }

    /// How often a text was logged at a level.
    fn count(&self, level: Level, text: &str) -> usize {
        let lines = self.lines();
        let is_it = |line: &&(Level, String)| line.0 == level && line.1.contains(text);
        lines.iter().filter(is_it).count()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("cast_core")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let line = (*event.metadata().level(), text.0);
        self.0.lock().expect("nobody panicked").push(line);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// All fields of an event in one line.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write as _;
        write!(self.0, "{field}={value:?} ").expect("a String takes any text");
    }
}

async fn vote(cast: &Cast, times: usize) {
    let ticket = current(cast).await;
    for _ in 0..times {
        let ballot: Ballot = ballot(ticket, "alice", 1);
        // Whether it is accepted is not what is looked at here.
        let _ = cast.vote(ballot).await;
    }
}

/// One thread, so that all that is logged goes to the log of the test.
#[tokio::test]
async fn an_operation_that_fails_is_told_of_once_and_once_more_when_it_works_again() {
    for (operation, meaning) in [
        (Operation::Redeem, "ballots are not redeemed"),
        (Operation::Publish, "ballots are not acknowledged"),
        (Operation::Record, "votes are logged, but not shown yet"),
    ] {
        let log = Log::default();
        let _logging = tracing::subscriber::set_default(log.clone());
        let world = World::new(1);
        let plan = FaultPlan::quiet(world.clock.clone());
        let cast = world.door_over(intercept(&world.ports(), &plan)).await;
        plan.always(operation, Fault::Refused);
        vote(&cast, 20).await;
        assert_eq!(log.count(Level::WARN, meaning), 1, "{:?}", log.lines());

        // One that works in between does not end it.
        plan.heal();
        vote(&cast, 1).await;
        plan.always(operation, Fault::Refused);
        vote(&cast, 5).await;
        assert_eq!(log.count(Level::WARN, meaning), 1, "{:?}", log.lines());
        assert_eq!(log.count(Level::INFO, meaning), 0, "{:?}", log.lines());

        plan.heal();
        world.clock.advance(Duration::from_secs(1));
        vote(&cast, 3).await;
        assert_eq!(log.count(Level::INFO, meaning), 1, "{:?}", log.lines());
        assert_eq!(
            log.count(Level::INFO, "failures=25"),
            1,
            "{:?}",
            log.lines()
        );

        plan.always(operation, Fault::Refused);
        vote(&cast, 5).await;
        assert_eq!(log.count(Level::WARN, meaning), 2, "{:?}", log.lines());
    }
}
