//! The store in a folder, whose file is closed and opened again, copied and replaced by the copy.

use std::{fmt, fs, path::PathBuf, sync::Arc};

use cast_adapters::{
    sqlite::{DataDir, DataDirOptions},
    system::SystemClock,
};
use cast_core::{
    domain::{FoldStep, Partition, Partitions},
    ports::VoteStore as _,
};
use cast_testkit::properties;
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    applied, check, dry,
    model::{Model, Step},
};
use crate::small;

/// Records of each partition.
const RECORDS: usize = 64;

/// SQLite's largest number.
type Reference = Model<{ i64::MAX.unsigned_abs() }>;

struct StoringInFile {
    runtime: Runtime,
    folder: TempDir,
    data: Option<DataDir>,
}

impl fmt::Debug for StoringInFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.folder.path().display())
    }
}

impl StoringInFile {
    fn new() -> Self {
        let mut kept = Self {
            runtime: Runtime::new().expect("threads"),
            folder: TempDir::new().expect("a folder"),
            data: None,
        };
        kept.open();
        kept.fill_log();
        kept.back_up();
        kept
    }

    /// A folder whose log is behind its store is refused, so the log has more records than any step.
    fn fill_log(&self) {
        let bus = self.data.as_ref().expect("it is open").bus();
        for partition in (0..small::PARTITIONS).map(Partition::new) {
            for _ in 0..RECORDS {
                let appended = bus.append_unreadable(partition, *b"no record");
                self.runtime.block_on(appended).expect("appended");
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&mut self) {
        let options = DataDirOptions {
            partitions: Partitions::new(small::PARTITIONS).expect("a few"),
            ..DataDirOptions::default()
        };
        let opened = DataDir::open(self.path("data"), &options, Arc::new(SystemClock));
        self.data = Some(opened.expect("the folder is opened"));
    }

    fn close(&mut self) {
        if let Some(data) = self.data.take() {
            self.runtime.block_on(data.close());
        }
    }

    /// Copies the closed file: the log has none of these records, and the store alone is the subject.
    fn back_up(&mut self) {
        self.close();
        fs::copy(self.path("data/votes.db"), self.path("copy.db")).expect("copied");
        self.open();
    }

    fn restore(&mut self) {
        self.close();
        fs::copy(self.path("copy.db"), self.path("data/votes.db")).expect("copied");
        self.open();
    }

    fn store(&self) -> cast_adapters::sqlite::SqliteStore {
        self.data.as_ref().expect("it is open").store()
    }

    fn apply(&self, step: &FoldStep) -> super::Answer {
        applied(self.runtime.block_on(self.store().apply(step)))
    }

    fn dry_run(&self, step: &FoldStep) -> super::Answer {
        dry(self.runtime.block_on(self.store().dry_run(step)))
    }
}

impl StateMachineTest for StoringInFile {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(_: &Reference) -> Self {
        Self::new()
    }

    fn apply(mut kept: Self, model: &Reference, step: Step) -> Self {
        let answer = match step {
            Step::Apply {
                partition,
                start,
                len,
            } => Some(kept.apply(&model.step(partition, start, len))),
            Step::DryRun {
                partition,
                start,
                len,
            } => {
                // Every other way to lose what is not in the file.
                kept.close();
                kept.open();
                Some(kept.dry_run(&model.step(partition, start, len)))
            }
            Step::BackUp => {
                kept.back_up();
                None
            }
            Step::Restore => {
                kept.restore();
                None
            }
        };
        assert_eq!(answer, model.expected);
        kept
    }

    fn check_invariants(kept: &Self, model: &Reference) {
        check(&kept.runtime, &kept.store(), model);
    }
}

prop_state_machine! {
    #![proptest_config(properties::config(12))]

    #[test]
    fn a_file_holds_exactly_the_fold_of_the_applied_steps(sequential 1..30 => StoringInFile);
}
