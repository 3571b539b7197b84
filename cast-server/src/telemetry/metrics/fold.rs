//! How the log is folded into the store.

use cast_core::{
    domain::{FoldStep, Rejection},
    ports::Applied,
};
use metrics::Counter;

use super::{catalog, registry::Registry};

/// The work of the consumers of this process.
pub(crate) struct FoldMetrics {
    folded: Counter,
    fenced: Counter,
    counted: Counter,
    repeated: Counter,
    rejected_records: Counter,
    rejected_ballots: Counter,
}

impl FoldMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let steps = |result| registry.counter(&catalog::FOLD_STEPS, &[result]);
        let ballots = |result| registry.counter(&catalog::FOLD_BALLOTS, &[result]);
        let rejected = |what| registry.counter(&catalog::REJECTED, &[what]);
        Self {
            folded: steps("folded"),
            fenced: steps("fenced"),
            counted: ballots("counted"),
            repeated: ballots("repeated"),
            rejected_records: rejected("record"),
            rejected_ballots: rejected("ballot"),
        }
    }

    /// Counts a step that the store answered.
    pub(crate) fn count(&self, step: &FoldStep, applied: &Applied) {
        let Applied::Folded { counted, .. } = applied else {
            return self.fenced.increment(1);
        };
        self.folded.increment(1);
        self.counted.increment(*counted as u64);
        let repeated = step.ballots.len().saturating_sub(*counted);
        self.repeated.increment(repeated as u64);
        for rejection in &step.rejections {
            match rejection {
                Rejection::Record { .. } => self.rejected_records.increment(1),
                Rejection::Ballot { .. } => self.rejected_ballots.increment(1),
            }
        }
    }
}
