//! The dry run.

use cast_core::{
    domain::FoldStep,
    ports::{PortError, PortErrorKind},
};

use super::{P0, Skipped, Stage, VoteStoreHarness, next, rejecting, step};

pub(super) async fn a_dry_run_changes_nothing(
    harness: &dyn VoteStoreHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    stage.fold(&next(P0, 0, &[&stage.for_alice(1)])).await;
    let (good, bad) = (stage.for_alice(10), stage.for_alice(100));
    let mut coming = next(P0, 1, &[&good]);
    coming.rejections = rejecting(P0, 1, &bad).rejections;
    let before = stage.view(&[good.id, bad.id]).await;
    for _ in 0..3 {
        stage
            .store
            .dry_run(&coming)
            .await
            .expect("the step can be held");
        assert_eq!(stage.view(&[good.id, bad.id]).await, before);
    }
    let (totals, new) = stage.fold(&coming).await;
    assert_eq!(
        (totals, new),
        (vec![(stage.alice.clone(), 11)], 1),
        "it is still to come"
    );
    Ok(())
}

pub(super) async fn a_dry_run_fails_exactly_where_applying_would(
    harness: &dyn VoteStoreHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let seen = stage.for_alice(1);
    stage.fold(&next(P0, 0, &[&seen])).await;
    let bad = harness.unholdable(&stage.fixtures).await?;
    // The same id as one that counts: it would not be counted, so it need not be held.
    let mut repeated = bad.clone();
    repeated.id = seen.id;
    // Last comes what can be applied, and moves the progress.
    let steps = [
        next(P0, 1, &[&bad]),
        next(P0, 1, &[&stage.for_alice(1), &bad, &stage.for_alice(1)]),
        next(P0, 7, &[&bad]),
        next(P0, 7, &[&stage.for_alice(1)]),
        rejecting(P0, 1, &bad),
        step(P0, (2, 3), []),
        next(P0, 3, &[&seen, &stage.for_alice(1)]),
        next(P0, 4, &[&repeated]),
    ];
    for step in &steps {
        let dry_run = is_corrupt(step, stage.store.dry_run(step).await);
        let applied = is_corrupt(step, stage.store.apply(step).await);
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
