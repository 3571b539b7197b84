//! The log: records in one file, each synced before it is acknowledged.

mod append;
mod chain;
mod latest;
mod read;
mod retention;
mod schema;
mod scrub;
mod shared;
mod statements;
mod verify;

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{Clock, LogPosition, LoggedBallot, Offset, Partition, Partitions, Record},
    ports::{EventBus, GroupName, PartitionLag, PortError, Published, ResumeFrom, Subscription},
};
use diesel_migrations::embed_migrations;

pub use self::scrub::Scrubbed;
pub(super) use self::{
    retention::{LogEnd, ends},
    verify::{LogContents, verify},
};

use self::{scrub::Scrub, shared::SharedLog};
use super::{
    database::Database,
    error::Error,
    file::{File, Purpose},
    folder::{self, Folder},
    writer::End,
};
use crate::{
    groups::{GroupSubscription, Span},
    record,
};

const PUBLISHING: &str = "appending to the log";

static LOG: Purpose = Purpose {
    name: folder::LOG,
    // "CSTl"
    application_id: 0x4353_546c,
    synchronous: "FULL",
    page_bytes: 4_096,
    checkpoint_pages: 4_000,
    cache_kib: 8_192,
    migrations: embed_migrations!("migrations/sqlite/log"),
};

/// An [`EventBus`] in a file of this machine.
///
/// A record is acknowledged after the file was synced; records that wait are synced together. Offsets
/// begin at 0, without gaps, and never begin again. Each record has a checksum over itself and the one
/// before, which is checked whenever it is read, and from time to time by a thread that reads the whole log
/// slowly.
///
/// The groups are those of this process. Their partitions are assigned to the members in the order in
/// which they joined. Commits are not stored: after a restart, a group has committed what its members
/// resume at.
#[derive(Clone)]
pub struct SqliteBus {
    log: Arc<SharedLog>,
    clock: Arc<dyn Clock>,
    /// `None` where another process writes the log, and checks it.
    scrub: Option<Arc<Scrub>>,
}

impl SqliteBus {
    /// Opens the log of a folder; a new one gets so many partitions. With what each of them has. It blocks.
    pub(super) fn open(
        folder: Arc<Folder>,
        is_new: bool,
        partitions: Partitions,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Vec<Span>), Error> {
        let file = File {
            folder,
            purpose: &LOG,
            must_exist: !is_new,
        };
        let database = Database::open(file, |connection| {
            append::begin(connection, partitions)?;
            let logs = read::partitions(connection)?;
            Ok(logs.iter().map(|log| log.span).collect::<Vec<_>>())
        });
        let (database, spans) = database?;
        let bus = Self {
            scrub: Some(Arc::new(Scrub::start(database.clone())?)),
            log: Arc::new(SharedLog::new(database, &spans, Arc::clone(&clock))),
            clock,
        };
        Ok((bus, spans))
    }

    /// Opens the log of a folder to read it, beside a process that may be writing it. It blocks.
    pub(super) fn inspect(folder: Arc<Folder>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let file = File {
            folder,
            purpose: &LOG,
            must_exist: true,
        };
        let (database, logs) = Database::inspect(file, read::partitions)?;
        let log = SharedLog::inspected(database, logs.len(), Arc::clone(&clock));
        Ok(Self {
            log: Arc::new(log),
            clock,
            scrub: None,
        })
    }

    /// What the thread has found that checks the whole log from time to time. It logs each damage, too.
    pub fn scrubbed(&self) -> Scrubbed {
        let scrub = self.scrub.as_ref();
        scrub.map(|scrub| scrub.found()).unwrap_or_default()
    }

    /// Appends an undecodable record, as a faulty or newer writer might. For tests of consumers.
    ///
    /// # Errors
    ///
    /// As those of [`publish`](EventBus::publish).
    pub async fn append_unreadable(
        &self,
        partition: Partition,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<LogPosition, PortError> {
        self.log.check_partition(partition, PUBLISHING)?;
        let row = Row {
            partition,
            bytes: bytes.into(),
            ballots: None,
        };
        let offsets = self.append(vec![row]).await?;
        let offset = offsets.first().copied().unwrap_or_default();
        Ok(LogPosition { partition, offset })
    }

    /// Appends records in one transaction.
    async fn append(&self, rows: Vec<Row>) -> Result<Vec<Offset>, PortError> {
        let (log, clock) = (Arc::clone(&self.log), Arc::clone(&self.clock));
        let rows: Arc<[Row]> = rows.into();
        let appended = Arc::clone(&rows);
        let append = self.log.database().write_then(
            move |connection| {
                let now = clock.now();
                let append = |row: &Row| append::append(connection, row.partition, &row.bytes, now);
                let offsets = rows.iter().map(append).collect::<Result<Vec<_>, _>>();
                offsets.map(End::Keep)
            },
            move |offsets| match offsets {
                Ok(offsets) => {
                    for (row, offset) in appended.iter().zip(offsets) {
                        log.appended(row.partition, *offset, row.ballots.clone());
                    }
                }
                Err(Error::Commit(_)) => {
                    for row in &*appended {
                        log.may_have_appended(row.partition);
                    }
                }
                Err(_) => {}
            },
        );
        let appended = append.await;
        appended.map_err(|error| error.with_operation(PUBLISHING))
    }

    fn row(&self, record: &Record) -> Result<Row, PortError> {
        self.log.check_partition(record.partition(), PUBLISHING)?;
        let encoded = record::encode(record, self.log.partitions());
        Ok(Row {
            partition: record.partition(),
            bytes: encoded.map_err(|error| PortError::corrupt(PUBLISHING, error))?,
            ballots: Some(Arc::clone(record.ballots())),
        })
    }
}

/// A record to be appended.
struct Row {
    partition: Partition,
    bytes: Vec<u8>,
    /// What the bytes decode to; `None` for those that are no record.
    ballots: Option<Arc<[LoggedBallot]>>,
}

#[async_trait]
impl EventBus for SqliteBus {
    async fn partitions(&self) -> Result<Partitions, PortError> {
        Ok(self.log.partitions())
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let mut rows = Vec::with_capacity(records.len());
        let mut results = Vec::with_capacity(records.len());
        for record in records {
            results.push(self.row(record).map(|row| {
                rows.push(row);
                record.partition()
            }));
        }
        let appended = if rows.is_empty() {
            Ok(Vec::new())
        } else {
            self.append(rows).await
        };
        let mut offsets = appended.map(Vec::into_iter);
        let published = |refused_or: Result<Partition, PortError>| {
            let partition = refused_or?;
            let offset = match &mut offsets {
                Ok(offsets) => offsets.next().unwrap_or_default(),
                Err(error) => {
                    let copy = PortError::new(error.kind(), PUBLISHING);
                    return Err(copy.because(error.chain()));
                }
            };
            Ok(Published {
                position: Some(LogPosition { partition, offset }),
            })
        };
        results.into_iter().map(published).collect()
    }

    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        let log = Arc::clone(&self.log);
        let subscription = GroupSubscription::join(log, group, max_ballots, resume);
        Ok(Box::new(subscription))
    }

    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        let committed = self.log.committed(group).unwrap_or_default();
        let logs = self.log.database().read(read::partitions).await;
        let logs = logs.map_err(|error| error.with_operation("reading the lag"))?;
        let lag = |(index, log): (usize, &read::Chained)| PartitionLag {
            partition: log.span.partition,
            committed: Offset::new(
                committed
                    .get(index)
                    .map_or(log.span.start, |committed| log.span.start.max(*committed)),
            ),
            end: Offset::new(log.span.end),
        };
        Ok(logs.iter().enumerate().map(lag).collect())
    }
}
