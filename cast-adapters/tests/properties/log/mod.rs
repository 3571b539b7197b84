//! The log in a file, compared with one list for each partition; and what a reader gets of a file of which
//! the disk has changed a bit.

mod model;

use std::{
    fmt, fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cast_adapters::sqlite::{DataDir, DataDirError, DataDirOptions};
use cast_core::{
    domain::{Clock, LogEntry, LogPosition, Offset, Partition, Partitions, Record, Timestamp},
    ports::{EventBus as _, GroupName, PortError, PortErrorKind, ResumeFrom},
};
use cast_testkit::{fixtures::Progress, properties};
use diesel::{
    Connection as _, QueryResult, RunQueryDsl as _, SqliteConnection, dsl::sql, sql_types::BigInt,
};
use proptest::{prelude::*, sample::Index};
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::model::{Answer, Content, Model, Step, content};
use crate::small;

/// A wall clock that a test sets; a sleep on it ends at once.
struct SetClock(AtomicU64);

#[async_trait]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_hours(1)
    }

    async fn sleep(&self, _: Duration) {}
}

/// A log in a folder.
struct Logging {
    runtime: Runtime,
    folder: TempDir,
    clock: Arc<SetClock>,
    data: Option<DataDir>,
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.folder.path().display().to_string())
    }
}

impl Logging {
    fn new() -> Self {
        let mut logging = Self {
            runtime: small::runtime(),
            folder: TempDir::new().expect("a folder"),
            clock: Arc::new(SetClock(AtomicU64::new(0))),
            data: None,
        };
        logging.open().expect("the folder is opened");
        logging
    }

    fn open(&mut self) -> Result<(), DataDirError> {
        let options = DataDirOptions {
            partitions: Partitions::new(small::PARTITIONS).expect("some"),
            ..DataDirOptions::default()
        };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.data = Some(DataDir::open(self.folder.path(), &options, clock)?);
        Ok(())
    }

    fn close(&mut self) {
        let data = self.data.take().expect("it is open");
        self.runtime.block_on(data.close());
    }

    fn data(&self) -> &DataDir {
        self.data.as_ref().expect("it is open")
    }

    /// Appends what can be read in one call, and what cannot be read, one by one.
    fn append(&self, appended: &[(Partition, Content)]) -> Vec<LogPosition> {
        let bus = self.data().bus();
        self.runtime.block_on(async {
            let records: Option<Vec<_>> = appended
                .iter()
                .map(|(partition, content)| {
                    let ballots = content.as_ref().ok()?;
                    Some(Record::new(*partition, ballots.clone()))
                })
                .collect();
            if let Some(records) = records {
                let published = bus.publish(&records).await.into_iter();
                return published
                    .map(|one| one.expect("acknowledged").position.expect("known"))
                    .collect();
            }
            let mut positions = Vec::new();
            for (partition, content) in appended {
                positions.push(match content {
                    Ok(ballots) => {
                        let record = Record::new(*partition, ballots.clone());
                        let published = bus.publish(&[record]).await.remove(0);
                        published.expect("acknowledged").position.expect("known")
                    }
                    Err(bytes) => {
                        let appended = bus.append_unreadable(*partition, bytes.clone()).await;
                        appended.expect("acknowledged")
                    }
                });
            }
            positions
        })
    }

    /// Everything of a partition from there on, up to the end, which is not there. Of the others, nothing.
    fn read(
        &self,
        (partition, from): (Partition, u64),
        ends: &[u64],
        max_ballots: usize,
    ) -> Result<Vec<Content>, PortError> {
        let progress = Progress::at_start();
        for (other, end) in (0..).map(Partition::new).zip(ends) {
            progress.set(other, Offset::new(*end));
        }
        progress.set(partition, Offset::new(from));
        let end = Offset::new(ends[partition.get() as usize]);
        let resume = Arc::new(progress) as Arc<dyn ResumeFrom>;
        let group = GroupName::new("reading");
        self.runtime.block_on(async {
            let bus = self.data().bus();
            let mut log = bus.subscribe(&group, max_ballots, resume).await?;
            let (mut read, mut next) = (Vec::new(), Offset::new(from));
            while read.is_empty() || next < end {
                let batch = log.next().await?;
                assert_eq!((batch.partition, batch.start), (partition, next));
                let contents: Vec<_> = batch.entries.iter().map(content_of).collect();
                let ballots: usize = contents.iter().map(model::ballots).sum();
                assert!(
                    ballots <= max_ballots || contents.len() == 1,
                    "{contents:?}"
                );
                next = batch.next;
                read.extend(contents);
            }
            log.close().await?;
            Ok(read)
        })
    }

    fn of_file<T>(&self, query: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>) -> T {
        let path = self.folder.path().join("log.db");
        let connected = SqliteConnection::establish(path.to_str().expect("UTF-8"));
        query(&mut connected.expect("the file is there")).expect("the file answers")
    }
}

fn content_of(entry: &LogEntry) -> Content {
    match &entry.content {
        Ok(ballots) => Ok(ballots.to_vec()),
        Err(unreadable) => Err(unreadable.bytes.to_vec()),
    }
}

impl StateMachineTest for Logging {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(_: &Model) -> Self {
        Self::new()
    }

    fn apply(mut logging: Self, model: &Model, step: Step) -> Self {
        let answer = match step {
            Step::Append { appended, at } => {
                logging.clock.0.store(at, Ordering::Relaxed);
                Answer::Appended(logging.append(&appended))
            }
            Step::Read {
                partition,
                from,
                max_ballots,
            } => match logging.read((partition, from), &model.ends(), max_ballots) {
                Ok(read) => Answer::Read(read),
                Err(error) if error.kind() == PortErrorKind::Misconfigured => Answer::Refused,
                Err(error) => panic!("{}", error.chain()),
            },
            Step::Drop { partition, before } => {
                let bus = logging.data().bus();
                let dropping = bus.drop_before(partition, Offset::new(before));
                let dropped = logging.runtime.block_on(dropping);
                dropped.expect("dropped");
                Answer::Done
            }
            Step::Reopen => {
                logging.close();
                logging.open().expect("the folder is opened");
                Answer::Done
            }
        };
        assert_eq!(Some(answer), model.expected);
        logging
    }

    fn check_invariants(logging: &Self, model: &Model) {
        let bus = logging.data().bus();
        let lag = logging.runtime.block_on(bus.lag(&GroupName::new("new")));
        let lag = lag.expect("answered");
        let found: Vec<_> = lag.iter().map(|lag| (lag.committed, lag.end)).collect();
        let expected = model.partitions.iter();
        let expected: Vec<_> = expected
            .map(|one| (Offset::new(one.start), Offset::new(one.end())))
            .collect();
        assert_eq!(found, expected);
        let back = "SELECT count(*) FROM records AS one JOIN records AS next \
                    ON next.position = one.position + 1 WHERE next.appended_at < one.appended_at";
        let back: i64 = logging.of_file(|file| sql::<BigInt>(back).get_result(file));
        assert_eq!(back, 0, "the times of a partition go back");
        assert_eq!(bus.scrubbed().damage, None);
    }
}

prop_state_machine! {
    #![proptest_config(properties::config(24))]

    #[test]
    fn it_holds_what_was_appended_and_not_dropped(sequential 1..24 => Logging);
}

/// Flips a bit of the file, anywhere.
fn flip(logging: &Logging, at: Index, bit: u8) -> usize {
    let path = logging.folder.path().join("log.db");
    let mut bytes = fs::read(&path).expect("read");
    let at = at.index(bytes.len());
    bytes[at] ^= 1 << bit;
    fs::write(&path, bytes).expect("written");
    at
}

proptest! {
    #![proptest_config(properties::config(96))]

    #[test]
    fn a_flipped_bit_of_the_file_is_refused_or_changes_nothing(
        appended in prop::collection::vec((small::partition(), content()), 1..40),
        at in any::<Index>(),
        bit in 0..8_u8,
    ) {
        let mut logging = Logging::new();
        logging.append(&appended);
        logging.close();
        let at = flip(&logging, at, bit);
        if let Err(error) = logging.open() {
            prop_assert!(error.to_string().contains("log.db"), "byte {at}: {error}");
            return Ok(());
        }
        for partition in (0..small::PARTITIONS).map(Partition::new) {
            let of_it = appended.iter().filter(|(of, _)| *of == partition);
            let expected: Vec<_> = of_it.map(|(_, content)| content.clone()).collect();
            let ends = (0..small::PARTITIONS).map(|number| {
                let of = appended.iter().filter(|(of, _)| of.get() == number);
                of.count() as u64
            });
            let ends: Vec<_> = ends.collect();
            if expected.is_empty() {
                continue;
            }
            match logging.read((partition, 0), &ends, 1_000) {
                Ok(read) => prop_assert_eq!(read, expected, "byte {}", at),
                Err(error) => prop_assert!(!error.chain().is_empty()),
            }
        }
    }
}
