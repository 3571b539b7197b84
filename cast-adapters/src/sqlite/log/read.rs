//! Queries of the log. Each checks the chain over what it reads.

use cast_core::domain::{LogEntry, Offset, Partition};
use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _,
    SelectableHelper as _, SqliteConnection,
};

use super::{
    chain,
    schema::{Row, partitions, records},
};
use crate::{
    groups::Span,
    record,
    sqlite::{
        error::Error,
        position::{number, unsigned},
    },
};

/// A partition's records and the checksums around them.
#[derive(Clone, Copy)]
pub(super) struct Chained {
    pub(super) span: Span,
    /// Of the record before the first one.
    start_crc: u32,
    /// Of the last one.
    crc: u32,
}

impl Chained {
    /// The checksum before the first record, and that of the last one.
    pub(super) const fn ends(&self) -> (u32, u32) {
        (self.start_crc, self.crc)
    }
}

/// All partitions, in their order.
pub(super) fn partitions(connection: &mut SqliteConnection) -> Result<Vec<Chained>, Error> {
    let rows: Vec<PartitionRow> = partitions::table
        .select(COLUMNS)
        .order(partitions::partition)
        .load(connection)?;
    rows.into_iter().map(chained).collect()
}

/// One partition of the log.
pub(super) fn partition(
    connection: &mut SqliteConnection,
    partition: Partition,
) -> Result<Chained, Error> {
    let row: PartitionRow = partitions::table
        .find(i64::from(partition.get()))
        .select(COLUMNS)
        .first(connection)?;
    chained(row)
}

type PartitionRow = (i64, i64, i64, i64, i64);

const COLUMNS: (
    partitions::partition,
    partitions::start,
    partitions::start_crc,
    partitions::next,
    partitions::crc,
) = (
    partitions::partition,
    partitions::start,
    partitions::start_crc,
    partitions::next,
    partitions::crc,
);

fn chained((partition, start, start_crc, next, crc): PartitionRow) -> Result<Chained, Error> {
    let number = u32::try_from(unsigned("a partition", partition)?);
    let number = number.map_err(|_| Error::Row(format!("it has a partition {partition}")))?;
    Ok(Chained {
        span: Span {
            partition: Partition::new(number),
            start: unsigned("a start", start)?,
            end: unsigned("an end", next)?,
        },
        start_crc: chain::stored(start_crc)?,
        crc: chain::stored(crc)?,
    })
}

/// The records of a partition from `from` on, which it must have: at least one, and otherwise no more than
/// `max_ballots` ballots. Empty at the end.
pub(super) fn entries(
    connection: &mut SqliteConnection,
    log: &Chained,
    from: Offset,
    max_ballots: usize,
) -> Result<Vec<LogEntry>, Error> {
    let mut reader = Reader::at(connection, log, from)?;
    let (mut entries, mut ballots) = (Vec::new(), 0);
    reader.each(connection, |at, row| {
        let content = record::decode(&row.bytes).map(|decoded| decoded.ballots);
        ballots += content.as_ref().map_or(1, |ballots| ballots.len());
        let fits = ballots <= max_ballots || entries.is_empty();
        if fits {
            entries.push(LogEntry {
                offset: at,
                content,
            });
        }
        fits
    })?;
    Ok(entries)
}

/// Reads records in their order and checks the chain.
pub(super) struct Reader<'l> {
    log: &'l Chained,
    at: Offset,
    /// The checksum of the record before `at`.
    before: u32,
}

impl<'l> Reader<'l> {
    /// At a position of the partition.
    pub(super) fn at(
        connection: &mut SqliteConnection,
        log: &'l Chained,
        at: Offset,
    ) -> Result<Self, Error> {
        let span = &log.span;
        let before = if at.get() == span.start {
            log.start_crc
        } else {
            let last = Offset::new(at.get() - 1);
            let crc: Option<i64> = records::table
                .find(number(span.partition, last)?)
                .select(records::crc)
                .first(connection)
                .optional()?;
            chain::stored(crc.ok_or_else(|| missing(span.partition, last))?)?
        };
        Ok(Self { log, at, before })
    }

    /// Calls `take` with each record, until it returns false or the partition ends. Returns whether it
    /// ended.
    pub(super) fn each(
        &mut self,
        connection: &mut SqliteConnection,
        mut take: impl FnMut(Offset, &Row) -> bool,
    ) -> Result<bool, Error> {
        let span = self.log.span;
        let Span { partition, end, .. } = span;
        let took_all = each_row(connection, span, self.at.get(), |row| {
            self.check(row)?;
            if !take(self.at, row) {
                return Ok(false);
            }
            self.at = self.at.next();
            self.before = chain::stored(row.crc)?;
            Ok(true)
        })?;
        if !took_all {
            return Ok(false);
        }
        if self.at.get() < end {
            return Err(missing(partition, self.at));
        }
        if self.before == self.log.crc {
            return Ok(true);
        }
        Err(broken(partition, Offset::new(end)))
    }

    fn check(&self, row: &Row) -> Result<(), Error> {
        let partition = self.log.span.partition;
        if row.position != number(partition, self.at)? {
            return Err(missing(partition, self.at));
        }
        if i64::from(chain::crc(self.before, row)) != row.crc {
            return Err(broken(partition, self.at));
        }
        Ok(())
    }
}

/// Calls `take` with the rows of a partition from `from` on, in their order, until it returns false.
/// Returns whether it never did.
pub(super) fn each_row(
    connection: &mut SqliteConnection,
    span: Span,
    from: u64,
    mut take: impl FnMut(&Row) -> Result<bool, Error>,
) -> Result<bool, Error> {
    if from >= span.end {
        return Ok(true);
    }
    let first = number(span.partition, Offset::new(from))?;
    let last = number(span.partition, Offset::new(span.end - 1))?;
    let rows = records::table
        .filter(records::position.between(first, last))
        .select(Row::as_select())
        .order(records::position)
        .load_iter::<Row, _>(connection)?;
    for row in rows {
        if !take(&row?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The error of a record that is not there.
pub(super) fn missing(partition: Partition, offset: Offset) -> Error {
    damaged(partition, offset, "the record is missing")
}

fn broken(partition: Partition, offset: Offset) -> Error {
    damaged(partition, offset, "the checksum is wrong")
}

fn damaged(partition: Partition, offset: Offset, how: &str) -> Error {
    Error::Damaged(format!(
        "log.db is damaged at partition {}, offset {}: {how}. Stop the server and run \
         `cast-server check`",
        partition.get(),
        offset.get()
    ))
}
