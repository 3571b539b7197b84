//! The store, compared with a fold that starts from the beginning of the log each time.

#[cfg(feature = "sqlite")]
mod folder;
mod model;

use std::fmt;

use cast_adapters::memory::{MemoryStore, StoreOptions, StoreSnapshot};
use cast_core::{
    domain::{BallotId, FoldStep, Partition},
    ports::{Applied, PortError, PortErrorKind, VoteStore},
};
use cast_testkit::properties;
use proptest::{collection::vec, prelude::*};
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use self::model::{Answer, LARGEST_TOTAL, Model, Step, content};
use crate::small;

/// The store in memory, and a backup of it.
struct Storing {
    runtime: Runtime,
    store: MemoryStore,
    backup: StoreSnapshot,
}

impl fmt::Debug for Storing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.store.ballots()).finish()
    }
}

impl Storing {
    fn new(largest_total: u64) -> Self {
        let store = MemoryStore::with_options(StoreOptions {
            largest_total,
            ..StoreOptions::default()
        });
        Self {
            runtime: small::runtime(),
            backup: store.snapshot(),
            store,
        }
    }

    fn apply(&self, step: &FoldStep) -> Answer {
        applied(self.runtime.block_on(self.store.apply(step)))
    }

    fn dry_run(&self, step: &FoldStep) -> Answer {
        dry(self.runtime.block_on(self.store.dry_run(step)))
    }
}

/// Compares everything that a store can be asked.
fn check<const LARGEST: u64>(runtime: &Runtime, store: &dyn VoteStore, model: &Model<LARGEST>) {
    let candidates = small::candidates();
    let ids: Vec<BallotId> = (0..small::BALLOTS).map(small::id).collect();
    runtime.block_on(async {
        for partition in (0..small::PARTITIONS).map(Partition::new) {
            let progress = store.progress(partition).await.expect("answered");
            let expected = (model.progress(partition), model.last_ballot(partition));
            assert_eq!((progress.next, progress.last), expected);
        }
        let expected: Vec<_> = candidates
            .iter()
            .map(|candidate| model.tally(candidate))
            .collect();
        assert_eq!(
            store.tallies(&candidates).await.expect("answered"),
            expected
        );
        for first in 0..4 {
            assert_eq!(
                store.leaders(first).await.expect("answered"),
                model.leaders(first)
            );
        }
        for id in &ids {
            assert_eq!(
                store.ballot(*id).await.expect("answered"),
                model.fate(*id),
                "{id}"
            );
        }
        let kept: Vec<_> = ids.iter().map(|id| model.stored_ballots(*id)).collect();
        assert_eq!(store.stored_ballots(&ids).await.expect("answered"), kept);
        let recount = store.recount().await.expect("answered");
        assert_eq!(recount.counts, model.recount());
        let progress = model.folded().into_iter().map(|p| (p, model.progress(p)));
        assert_eq!(recount.progress, progress.collect::<Vec<_>>());
    });
}

fn applied(applied: Result<Applied, PortError>) -> Answer {
    match applied {
        Ok(applied) => Answer::Applied(applied),
        Err(error) if error.kind() == PortErrorKind::Corrupt => Answer::Corrupt,
        Err(error) => panic!("{error}"),
    }
}

fn dry(run: Result<(), PortError>) -> Answer {
    match run {
        Ok(()) => Answer::DryRun,
        Err(error) if error.kind() == PortErrorKind::Corrupt => Answer::Corrupt,
        Err(error) => panic!("{error}"),
    }
}

impl StateMachineTest for Storing {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(_: &Model) -> Self {
        Self::new(LARGEST_TOTAL)
    }

    fn apply(mut storing: Self, model: &Model, step: Step) -> Self {
        let answer = match step {
            Step::Apply {
                partition,
                start,
                len,
            } => Some(storing.apply(&model.step(partition, start, len))),
            Step::DryRun {
                partition,
                start,
                len,
            } => Some(storing.dry_run(&model.step(partition, start, len))),
            Step::BackUp => {
                storing.backup = storing.store.snapshot();
                None
            }
            Step::Restore => {
                storing.store.restore(storing.backup.clone());
                None
            }
        };
        assert_eq!(answer, model.expected);
        storing
    }

    fn check_invariants(storing: &Self, model: &Model) {
        check(&storing.runtime, &storing.store, model);
    }
}

prop_state_machine! {
    #![proptest_config(properties::config(64))]

    #[test]
    fn it_holds_exactly_the_fold_of_the_applied_steps(sequential 1..30 => Storing);
}

/// A log of one partition.
fn log() -> impl Strategy<Value = Model> {
    vec(content(), 1..12).prop_map(|log| Model {
        log: [(Partition::new(0), log)].into(),
        ..Model::default()
    })
}

/// Steps of a log as consumers make them that do not know of each other: some read on from where the
/// store is, some are zombies that come back with what they had read.
fn steps() -> impl Strategy<Value = Vec<(bool, u64, u64)>> {
    vec((prop::bool::weighted(0.6), 0..12_u64, 1..6_u64), 0..16)
}

proptest! {
    #![proptest_config(properties::config(256))]

    #[test]
    fn a_log_folds_to_the_same_however_it_is_cut_delivered_and_raced_for(log in log(), steps in steps()) {
        let partition = Partition::new(0);
        let len = log.log[&partition].len() as u64;
        let (once, cut) = (Storing::new(u64::MAX), Storing::new(u64::MAX));
        once.apply(&log.step(partition, 0, len));
        let progress = || cut.runtime.block_on(cut.store.progress(partition)).expect("answered").next.get();
        for (is_next, elsewhere, records) in steps {
            let start = if is_next { progress() } else { elsewhere };
            if start < len {
                cut.apply(&log.step(partition, start, records.min(len - start)));
            }
        }
        cut.apply(&log.step(partition, progress(), len - progress()));
        prop_assert_eq!(progress(), len);
        prop_assert_eq!(cut.store.ballots(), once.store.ballots());
        prop_assert_eq!(cut.store.rejections(), once.store.rejections());
        let shown = |storing: &Storing| {
            let tallies = storing.runtime.block_on(storing.store.tallies(&small::candidates()));
            let recount = storing.runtime.block_on(storing.store.recount());
            (tallies.expect("answered"), recount.expect("answered"))
        };
        prop_assert_eq!(shown(&cut), shown(&once));
    }
}
