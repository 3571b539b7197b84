//! Dropping the first records.

use std::time::Duration;

use cast_core::{
    domain::{Offset, Partition, Timestamp},
    ports::PortError,
};
use diesel::{OptionalExtension as _, QueryDsl as _, RunQueryDsl as _, SqliteConnection};

use super::{
    SqliteBus, append, chain,
    read::{self, Chained},
    schema::records,
};
use crate::sqlite::{error::Error, position::number, writer::End};

/// Records that are dropped in one transaction: those who publish wait for it.
const RECORDS_AT_ONCE: u32 = 1_000;

const DROPPING: &str = "dropping records of the log";

/// Where a partition ended at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) struct LogEnd {
    pub(in crate::sqlite) partition: Partition,
    /// The offset after its last record.
    pub(in crate::sqlite) next: Offset,
    /// The checksum of its last record, which tells it from another log.
    pub(in crate::sqlite) crc: u32,
}

/// Where the partitions of a log end.
pub(in crate::sqlite) fn ends(connection: &mut SqliteConnection) -> Result<Vec<LogEnd>, Error> {
    let logs = read::partitions(connection)?;
    let end = |log: &Chained| LogEnd {
        partition: log.span.partition,
        next: Offset::new(log.span.end),
        crc: log.ends().1,
    };
    Ok(logs.iter().map(end).collect())
}

/// The first records of a partition that are older than a time.
#[derive(Clone, Copy)]
pub(in crate::sqlite) struct OldRecords {
    /// The first record that the log has.
    pub(in crate::sqlite) start: Offset,
    /// The first one that is not among them.
    pub(in crate::sqlite) end: Offset,
}

impl SqliteBus {
    /// Drops the records of a partition before an offset, as far as there are any. Offsets go on as if
    /// they were there.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a partition that the log does not have. After an error some of the records may
    /// be dropped.
    pub async fn drop_before(&self, partition: Partition, before: Offset) -> Result<(), PortError> {
        self.log.check_partition(partition, DROPPING)?;
        let mut last = None;
        loop {
            let kept = self.log.database().write(move |connection| {
                let kept = append::drop_some(connection, partition, before, RECORDS_AT_ONCE);
                kept.map(End::Keep)
            });
            let kept = kept.await;
            let kept = kept.map_err(|error| error.with_operation(DROPPING))?;
            if kept >= before || last == Some(kept) {
                return Ok(());
            }
            last = Some(kept);
        }
    }

    /// The records that are older than `age`, of those before an end that the log had; refused for the end
    /// of another log.
    pub(in crate::sqlite) async fn old_records(
        &self,
        upto: LogEnd,
        age: Duration,
    ) -> Result<OldRecords, PortError> {
        let before = self.clock.now().minus(age);
        let found = self
            .log
            .database()
            .read(move |connection| old_records(connection, upto, before));
        found.await.map_err(|error| error.with_operation(DROPPING))
    }
}

fn old_records(
    connection: &mut SqliteConnection,
    upto: LogEnd,
    before: Timestamp,
) -> Result<OldRecords, Error> {
    let log = read::partition(connection, upto.partition)?;
    let (mut low, mut high) = (log.span.start, upto.next.get());
    let start = Offset::new(low);
    if high <= low {
        return Ok(OldRecords { start, end: start });
    }
    let last = row(connection, upto.partition, high - 1)?;
    if last.map(|(_, crc)| crc) != Some(upto.crc) {
        return Err(Error::Refused(
            "the last backup of the folder is of another log: make a new one".into(),
        ));
    }
    // The times of a partition never go back.
    while low < high {
        let middle = low.midpoint(high);
        let found = row(connection, upto.partition, middle)?;
        let (appended_at, _) =
            found.ok_or_else(|| read::missing(upto.partition, Offset::new(middle)))?;
        if appended_at < before {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(OldRecords {
        start,
        end: Offset::new(low),
    })
}

/// The time and the checksum of a record.
fn row(
    connection: &mut SqliteConnection,
    partition: Partition,
    offset: u64,
) -> Result<Option<(Timestamp, u32)>, Error> {
    let found: Option<(i64, i64)> = records::table
        .find(number(partition, Offset::new(offset))?)
        .select((records::appended_at, records::crc))
        .first(connection)
        .optional()?;
    let Some((appended_at, crc)) = found else {
        return Ok(None);
    };
    let appended_at = u64::try_from(appended_at).unwrap_or_default();
    Ok(Some((
        Timestamp::from_unix_ms(appended_at),
        chain::stored(crc)?,
    )))
}
