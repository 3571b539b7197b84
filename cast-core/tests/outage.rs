//! An outage is logged when it begins and when it is over, however many votes fail.

mod world;

use std::time::Duration;

use cast_core::{Cast, domain::Ballot, ports::Operation};
use cast_testkit::faults::{Fault, FaultPlan};
use tracing::Level;
use world::{World, ballot, current, log::Log};

async fn vote(cast: &Cast, times: usize) {
    let ticket = current(cast).await;
    for _ in 0..times {
        let ballot: Ballot = ballot(ticket, "alice", 1);
        // Whether it is accepted does not matter here.
        let _ = cast.vote(ballot).await;
    }
}

/// On one thread, so that everything is logged to the log of the test.
#[tokio::test]
async fn an_outage_is_logged_once_when_it_begins_and_once_when_it_is_over() {
    for (operation, meaning) in [
        (
            Operation::Redeem,
            "votes are refused: tickets cannot be redeemed",
        ),
        (
            Operation::Publish,
            "votes are not acknowledged: the log cannot be written",
        ),
        (Operation::Record, "votes are logged but not shown yet"),
    ] {
        let log = Log::default();
        let _logging = tracing::subscriber::set_default(log.clone());
        let world = World::new(1);
        let plan = FaultPlan::quiet(world.clock.clone());
        let cast = world.api_over(world.ports().intercepted(&plan)).await;
        plan.always(operation, Fault::Refused);
        vote(&cast, 20).await;
        assert_eq!(log.count(Level::WARN, meaning), 1, "{:?}", log.lines());

        // A single success in between does not end the outage.
        plan.clear();
        vote(&cast, 1).await;
        plan.always(operation, Fault::Refused);
        vote(&cast, 5).await;
        assert_eq!(log.count(Level::WARN, meaning), 1, "{:?}", log.lines());
        assert_eq!(log.count(Level::INFO, meaning), 0, "{:?}", log.lines());

        plan.clear();
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
