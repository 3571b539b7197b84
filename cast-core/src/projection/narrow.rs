//! Finds the ballots of a record that the store cannot hold.

use std::time::Duration;

use crate::{
    domain::{FoldStep, PositionedBallot, Rejection},
    ports::{Operation, PortError, PortErrorKind, Ports},
};

/// Turns the ballots of a step that the store cannot hold into rejections, by bisection.
///
/// For `m` ballots of which `k` cannot be held it takes about `k * log2(m)` dry runs.
///
/// `limit` is the deadline of one dry run, which changes nothing.
pub(super) async fn without_unholdable(
    ports: &Ports,
    limit: Duration,
    step: FoldStep,
) -> Result<FoldStep, PortError> {
    let mut narrowed = FoldStep {
        ballots: Vec::new(),
        ..step
    };
    // Slices that are still to be admitted, the first on top. The ballots keep the order of the log,
    // because the first of two with the same id counts.
    let mut waiting = vec![step.ballots];
    while let Some(mut ballots) = waiting.pop() {
        let Err(error) = dry_run_with(ports, limit, &mut narrowed, &ballots).await else {
            narrowed.ballots.append(&mut ballots);
            continue;
        };
        if error.kind() != PortErrorKind::Corrupt {
            return Err(error);
        }
        if ballots.len() > 1 {
            let second = ballots.split_off(ballots.len() / 2);
            waiting.extend([second, ballots]);
        } else {
            let reason = error.chain();
            let reject = |ballot| Rejection::of_ballot(ballot, &reason);
            narrowed.rejections.extend(ballots.into_iter().map(reject));
        }
    }
    Ok(narrowed)
}

/// Whether the store can hold `more` together with the ballots that were admitted so far: ballots may
/// be fine one by one and too many together.
async fn dry_run_with(
    ports: &Ports,
    limit: Duration,
    admitted: &mut FoldStep,
    more: &[PositionedBallot],
) -> Result<(), PortError> {
    let before = admitted.ballots.len();
    admitted.ballots.extend_from_slice(more);
    let dry_run = ports.store.dry_run(admitted);
    let result = ports.within(limit, Operation::DryRun, dry_run).await;
    admitted.ballots.truncate(before);
    result
}
