//! A process and its roles: what it runs, what it needs, and how its tasks end.

mod world;

use std::{sync::Arc, time::Duration};

use cast_core::{
    Cast, CastBuilder, Fault as CastFault, FaultKind, Roles, Setting, SettingsError, StartError,
    domain::{KeyId, KeyRing},
    ports::{Call, Interceptor, PortErrorKind, Reply},
};
use cast_testkit::faults::{Counts, Fault, FaultPlan, Operation};
use world::{World, ballot, candidate, current, id, receipt, votes_of};

const API: Roles = Roles {
    api: true,
    generator: false,
    consumers: 0,
};
const GENERATOR: Roles = Roles {
    api: false,
    generator: true,
    consumers: 0,
};
const CONSUMER: Roles = Roles {
    api: false,
    generator: false,
    consumers: 1,
};
const NONE: Roles = Roles {
    api: false,
    generator: false,
    consumers: 0,
};

fn builder(world: &World, roles: Roles) -> CastBuilder {
    let cast = Cast::builder(world.ports(), world.keys.clone());
    cast.settings(world.settings.clone()).roles(roles)
}

/// What a process of these roles looks at, and whether it needs it.
async fn looked_at(roles: Roles) -> Vec<(&'static str, bool)> {
    let world = World::new(1);
    world.generator().tick().await.expect("published");
    let cast = builder(&world, roles).start().await.expect("started");
    let checks = cast.readiness().await;
    for check in &checks {
        assert!(check.result.is_ok(), "{check:?}");
    }
    checks.iter().map(|c| (c.name, c.needed)).collect()
}

#[tokio::test]
async fn each_role_looks_at_what_it_uses_and_only_a_consumer_needs_the_store() {
    let (needed, can_do_without) = (true, false);
    let of_api = [
        ("tickets", needed),
        ("log", needed),
        ("counter", can_do_without),
        ("store", can_do_without),
    ];
    assert_eq!(looked_at(API).await, of_api);
    assert_eq!(looked_at(GENERATOR).await, [("tickets", needed)]);
    let of_consumer = [
        ("log", needed),
        ("counter", can_do_without),
        ("store", needed),
        ("fold", needed),
    ];
    assert_eq!(looked_at(CONSUMER).await, of_consumer);
    assert_eq!(looked_at(NONE).await, []);
}

#[tokio::test]
async fn readiness_says_of_each_port_whether_it_answers() {
    for (operation, name) in [
        (Operation::CurrentTicket, "tickets"),
        (Operation::Partitions, "log"),
        (Operation::Read, "counter"),
        (Operation::Progress, "store"),
    ] {
        let world = World::new(1);
        let plan = FaultPlan::quiet(world.clock.clone());
        let cast = world.api_over(world.ports().intercepted(&plan)).await;
        plan.always(operation, Fault::Refused);
        let checks = cast.readiness().await;
        let failed: Vec<_> = checks.iter().filter(|c| c.result.is_err()).collect();
        let names: Vec<_> = failed.iter().map(|check| check.name).collect();
        assert_eq!(names, [name]);
    }
}

/// A vote service with another ring would refuse every ballot, and be ready otherwise.
#[tokio::test]
async fn a_ticket_of_an_unknown_key_makes_the_api_unready_and_names_the_key() {
    let world = World::new(1);
    world.generator().tick().await.expect("published");
    let foreign = KeyRing::new([(KeyId::new(9), [9; 32])]).expect("a ring");
    let builder = Cast::builder(world.ports(), foreign).roles(API);
    let cast = builder.start().await.expect("started");
    let fault = ticket_check(&cast).await.expect_err("not ready");
    assert_eq!(fault.kind(), FaultKind::Internal);
    let beneath = fault.port_error().expect("the reason");
    assert_eq!(beneath.kind(), PortErrorKind::Misconfigured);
    let id = current(&cast).await.key_id().get();
    let named = beneath.chain().contains(&format!("key {id},"));
    assert!(named, "{}", beneath.chain());
}

async fn ticket_check(cast: &Cast) -> Result<(), CastFault> {
    let checks = cast.readiness().await;
    let tickets = checks.into_iter().find(|check| check.name == "tickets");
    tickets.expect("the API checks its tickets").result
}

#[tokio::test]
async fn without_a_ticket_the_api_is_not_ready() {
    let world = World::new(1);
    let cast = builder(&world, API).start().await.expect("started");
    let fault = ticket_check(&cast).await.expect_err("no ticket");
    assert_eq!(fault.kind(), FaultKind::NoTicket);
}

#[tokio::test]
async fn settings_that_cannot_work_start_nothing() {
    let mut world = World::new(1);
    world.settings.ingest.flush_limit = 0;
    let started = builder(&world, Roles::ALL).start().await;
    let error = started.err().expect("refused");
    let setting = Setting::FlushLimit;
    let StartError::Settings(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error, SettingsError::Zero { setting });
    assert_eq!(world.clock.sleepers(), 0);
}

#[tokio::test]
async fn a_process_without_the_api_starts_without_a_log() {
    for (roles, starts) in [(API, false), (GENERATOR, true), (CONSUMER, true)] {
        let world = World::new(1);
        let plan = FaultPlan::quiet(world.clock.clone());
        plan.always(Operation::Partitions, Fault::Refused);
        let ports = world.ports().intercepted(&plan);
        let cast = Cast::builder(ports, world.keys.clone()).roles(roles);
        assert_eq!(cast.start().await.is_ok(), starts, "{roles:?}");
    }
}

#[tokio::test]
async fn all_roles_together_issue_take_fold_and_show() {
    let world = World::new(2);
    let cast = builder(&world, Roles::ALL).start().await.expect("started");
    let vote = ballot(current(&cast).await, "alice", 3).with_id(id(1));
    receipt(cast.vote(vote).await.expect("an answer"));
    let folded = async || (world.behind().await == 0).then_some(());
    cast_testkit::eventually(Duration::from_secs(10), "the fold", folded).await;
    assert_eq!(votes_of(&cast, "alice").await, 3);
    let leaders = cast.leaderboard(1).await.expect("leaders");
    assert_eq!(leaders[0].candidate, candidate("alice"));
}

#[tokio::test]
async fn a_shutdown_ends_every_task_and_each_consumer_leaves_its_group() {
    let world = World::new(2);
    let counts = Counts::new();
    let roles = Roles {
        consumers: 2,
        ..Roles::ALL
    };
    let ports = world.ports().intercepted(&counts);
    let cast = Cast::builder(ports, world.keys.clone()).roles(roles);
    let cast = cast.start().await.expect("started");
    let joined = async || (counts.calls(Operation::Next) >= 2).then_some(());
    cast_testkit::eventually(Duration::from_secs(10), "both to read", joined).await;
    cast.shutdown().await;
    assert_eq!(counts.calls(Operation::Close), 2);
    assert_eq!(world.clock.sleepers(), 0, "the generator has ended, too");
    let late = ballot(current(&cast).await, "alice", 1);
    let fault = cast.vote(late).await.expect_err("the intake is closed");
    assert_eq!(fault.kind(), FaultKind::Unavailable);
}

/// An adapter with a bug: it panics when it is to publish.
struct Panics;

impl Interceptor for Panics {
    async fn around<R: Reply>(&self, call: Call<'_, R>, run: impl Future<Output = R> + Send) -> R {
        assert_ne!(call.operation, Operation::Publish, "on purpose");
        run.await
    }
}

#[tokio::test]
async fn a_task_that_dies_is_reported_and_its_ballot_is_unknown() {
    let world = World::new(1);
    let ports = world.ports().intercepted(&Arc::new(Panics));
    let cast = world.api_over(ports).await;
    let vote = ballot(current(&cast).await, "alice", 1).with_id(id(1));
    let fault = cast.vote(vote).await.expect_err("no answer");
    let known = (fault.kind(), fault.ballot());
    assert_eq!(known, (FaultKind::OutcomeUnknown, Some(id(1))));
    assert_eq!(cast.failed().await.task, "intake");
}
