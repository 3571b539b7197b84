//! A server that is down is told of when it goes and when it is back, however many votes it fails.

mod world;

use std::time::Duration;

use cast_core::{Cast, domain::Ballot};
use cast_testkit::faults::{Fault, FaultPlan, Operation};
use tracing::Level;
use world::{World, ballot, current, log::Log};

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
        let cast = world.door_over(world.ports().intercepted(&plan)).await;
        plan.always(operation, Fault::Refused);
        vote(&cast, 20).await;
        assert_eq!(log.count(Level::WARN, meaning), 1, "{:?}", log.lines());

        // One that works in between does not end it.
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
