//! The dry run.

use cast_core::{
    domain::FoldStep,
    ports::{PortError, PortErrorKind},
};

use super::scenario::{P0, Scenario, next, rejecting};
use crate::contract::Skipped;
use crate::fixtures::step;

pub(super) async fn a_dry_run_changes_nothing(scenario: Scenario<'_>) {
    scenario.fold(&next(P0, 0, &[&scenario.for_alice(1)])).await;
    let (good, bad) = (scenario.for_alice(10), scenario.for_alice(100));
    let mut coming = next(P0, 1, &[&good]);
    coming.rejections = rejecting(P0, 1, &bad).rejections;
    let before = scenario.view(&[good.id, bad.id]).await;
    for _ in 0..3 {
        scenario
            .store
            .dry_run(&coming)
            .await
            .expect("the step can be held");
        assert_eq!(scenario.view(&[good.id, bad.id]).await, before);
    }
    let (totals, new) = scenario.fold(&coming).await;
    assert_eq!(
        (totals, new),
        (vec![(scenario.alice.clone(), 11)], 1),
        "it is still to come"
    );
}

pub(super) async fn a_dry_run_fails_exactly_where_applying_would(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    let seen = scenario.for_alice(1);
    scenario.fold(&next(P0, 0, &[&seen])).await;
    let bad = scenario.harness.unholdable(&scenario.fixtures).await?;
    // The same id as one that counts: it would not be counted, so it need not be held.
    let mut repeated = bad.clone();
    repeated.id = seen.id;
    // Last comes what can be applied, and moves the progress.
    let steps = [
        next(P0, 1, &[&bad]),
        next(
            P0,
            1,
            &[&scenario.for_alice(1), &bad, &scenario.for_alice(1)],
        ),
        next(P0, 7, &[&bad]),
        next(P0, 7, &[&scenario.for_alice(1)]),
        rejecting(P0, 1, &bad),
        step(P0, (2, 3), []),
        next(P0, 3, &[&seen, &scenario.for_alice(1)]),
        next(P0, 4, &[&repeated]),
    ];
    for step in &steps {
        let dry_run = is_corrupt(step, scenario.store.dry_run(step).await);
        let applied = is_corrupt(step, scenario.store.apply(step).await);
        assert_eq!(dry_run, applied, "a dry run of {step:?}");
    }
    Ok(())
}

/// Whether the step cannot be held.
fn is_corrupt<T>(step: &FoldStep, result: Result<T, PortError>) -> bool {
    match result {
        Ok(_) => false,
        Err(error) if error.kind() == PortErrorKind::Corrupt => true,
        Err(error) => panic!("{step:?}: {}", error.chain()),
    }
}
