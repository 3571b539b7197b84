//! The store with callers that give up, and with callers that do the same at once.

use std::{sync::Arc, time::Duration};

use cast_core::{
    domain::Offset,
    ports::{Applied, VoteStore as _},
};
use cast_testkit::{Seed, dropped_after, fixtures::Fixtures, race};

use self::postgres::{P0, TestDb, next, single_steps, votes};

mod postgres;

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_gives_up_leaves_no_transaction_open() {
    const ROUNDS: u64 = 60;
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let seed = Seed::from_env_or_random();
    let (store, entropy) = (test_db.open(), seed.entropy());
    let fixtures = Fixtures::of(seed);
    let alice = fixtures.candidate("alice");
    for start in 0..ROUNDS {
        let ballots: Vec<_> = (0..20).map(|_| fixtures.ballot(&[(&alice, 1)])).collect();
        let step = next(P0, start, &ballots.iter().collect::<Vec<_>>());
        // Half of them give up after some polls, half of them after some time.
        if entropy.below(2) == 0 {
            let polls = usize::try_from(entropy.below(12)).expect("a few");
            drop(dropped_after(polls, store.apply(&step)).await);
        } else {
            let limit = Duration::from_micros(entropy.below(6_000));
            drop(tokio::time::timeout(limit, store.apply(&step)).await);
        }
        let applied = store.apply(&step).await;
        match applied.expect("what was given up is not in its way") {
            Applied::Folded { counted, .. } => assert_eq!(counted, 20),
            Applied::Fenced { progress } => assert_eq!(progress, Offset::new(start + 1)),
        }
        assert_eq!(
            votes(&store, &alice).await,
            20 * (start + 1),
            "after round {start}"
        );
    }
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'cast' AND state <> 'idle'";
    test_db.until(open, "0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_stores_that_race_through_the_same_steps_each_step_is_applied_once() {
    const STEPS: u64 = 40;
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let (alice, steps) = single_steps(STEPS);
    let steps = Arc::new(steps);
    let applied = race(3, |_| {
        let (store, steps) = (test_db.open(), Arc::clone(&steps));
        async move {
            let mut applied = 0;
            for step in &*steps {
                if let Applied::Folded { .. } = store.apply(step).await.expect("an answer") {
                    applied += 1;
                }
            }
            applied
        }
    })
    .await;
    assert_eq!(applied.iter().sum::<u64>(), STEPS, "{applied:?}");
    assert_eq!(votes(&test_db.open(), &alice).await, STEPS);
}
