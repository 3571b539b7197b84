//! Narrowing a record down to the ballots that the store cannot hold.

use std::time::Duration;

use crate::{
    deadline::within,
    domain::{FoldStep, PositionedBallot, Rejection},
    ports::{Clock, PortError, PortErrorKind, VoteStore},
};

/// Where steps are tried in a dry run: nothing here is written.
pub(super) struct Stage<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) store: &'a dyn VoteStore,
    /// How long one dry run may take.
    pub(super) limit: Duration,
}

impl Stage<'_> {
    /// Turns those ballots of a step that the store cannot hold into rejections with their reason,
    /// by bisection.
    ///
    /// For `m` ballots of which `k` cannot be held it takes about `k * log2(m)` dry runs.
    pub(super) async fn without_unholdable(&self, step: FoldStep) -> Result<FoldStep, PortError> {
        let mut narrowed = FoldStep {
            ballots: Vec::new(),
            ..step
        };
        // Slices still to be admitted, the first on top: ballots keep the log's order, because the
        // first of two with the same id wins.
        let mut waiting = vec![step.ballots];
        while let Some(mut ballots) = waiting.pop() {
            let Err(error) = self.dry_run_with(&mut narrowed, &ballots).await else {
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
                let reject = |placed| Rejection::of_ballot(placed, &reason);
                narrowed.rejections.extend(ballots.into_iter().map(reject));
            }
        }
        Ok(narrowed)
    }

    /// Whether the store can hold what was admitted so far together with `more`: ballots may be
    /// fine each for itself and too many together.
    async fn dry_run_with(
        &self,
        admitted: &mut FoldStep,
        more: &[PositionedBallot],
    ) -> Result<(), PortError> {
        let before = admitted.ballots.len();
        admitted.ballots.extend_from_slice(more);
        let dry_run = self.store.dry_run(admitted);
        let result = within(self.clock, self.limit, "rehearsing a batch", dry_run).await;
        admitted.ballots.truncate(before);
        result
    }
}
