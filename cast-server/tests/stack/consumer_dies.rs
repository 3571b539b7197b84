//! A consumer dies on the way of a batch, or is thought dead and comes back.

use cast_testkit::Seed;
use futures_util::future::join_all;

use crate::{
    check::{Stored, check, drained},
    program::Process,
    stack::{Deployment, Role, Stack, drain, kill, until, until_failpoint},
    voters::Voters,
    workload::Workload,
};

/// A deployment whose one consumer stops at a failpoint, with voters before it.
struct Scene {
    stack: Stack,
    generator: Process,
    apis: Vec<Process>,
    doomed: Process,
    workload: Workload,
    voters: Voters,
}

impl Scene {
    async fn until(failpoint: &str) -> Option<Self> {
        let mut stack = Stack::start().await?;
        // Nothing is cut off because a process stood still meanwhile.
        stack.set("CAST_APPLY_DEADLINE", "5m");
        let (generator, doomed, apis) = tokio::join!(
            stack.run(Role::Generator),
            stack.run_until(Role::Consumer, failpoint),
            join_all((0..2).map(|_| stack.run(Role::Api)))
        );
        let workload = Workload::new(apis.iter().map(Process::client).collect());
        let voters = Voters::start(Seed::from_env_or_random(), &workload, 12);
        until_failpoint(&doomed).await;
        Some(Self {
            stack,
            generator,
            apis,
            doomed,
            workload,
            voters,
        })
    }
}

async fn dies(failpoint: &str) {
    let Some(scene) = Scene::until(failpoint).await else {
        return;
    };
    let Scene {
        stack,
        generator,
        apis,
        doomed,
        workload,
        mut voters,
    } = scene;
    kill(doomed).await;
    // Votes are taken all the while: the log holds.
    voters.until_acknowledged(40).await;
    let consumer = stack.run(Role::Consumer).await;
    voters.until_acknowledged(40).await;
    voters.stop().await;
    let deployment = Deployment {
        generator,
        consumer,
        apis,
    };
    check(&stack, &workload, &deployment.clients()).await;
    deployment.drain().await;
}

#[tokio::test]
async fn before_apply_another_applies_the_batch() {
    dies("before-store.apply:3").await;
}

#[tokio::test]
async fn after_apply_before_reconcile_another_applies_nothing_twice_and_tallies_recover() {
    dies("after-store.apply:3").await;
}

#[tokio::test]
async fn after_reconcile_before_commit_another_resumes_where_the_store_is() {
    dies("after-counter.reconcile:3").await;
}

#[tokio::test]
async fn a_zombie_meets_the_fence_and_continues_as_a_member() {
    // With a batch in hand, and again when the store has answered.
    let failpoints = "before-store.apply:3,after-store.apply:3";
    let Some(scene) = Scene::until(failpoints).await else {
        return;
    };
    let Scene {
        stack,
        generator,
        apis,
        doomed: zombie,
        workload,
        mut voters,
    } = scene;
    let successor = stack.run(Role::Consumer).await;
    voters.until_acknowledged(20).await;
    voters.stop().await;
    // The group has moved on: all is folded, the zombie's batch included.
    drained(&stack, &workload).await;
    drain(successor).await;
    let before = Stored::read(&stack).await;

    zombie.signal("CONT").await;
    let stopped_again = async || {
        let said = zombie.said();
        said.contains("failpoint after-store.apply").then_some(())
    };
    until("the zombie's transaction", stopped_again).await;
    assert_eq!(
        Stored::read(&stack).await,
        before,
        "its transaction did something"
    );

    zombie.signal("CONT").await;
    let mut voters = Voters::start(Seed::from_env_or_random().part(99), &workload, 4);
    voters.until_acknowledged(20).await;
    voters.stop().await;
    let deployment = Deployment {
        generator,
        consumer: zombie,
        apis,
    };
    check(&stack, &workload, &deployment.clients()).await;
    deployment.drain().await;
}
