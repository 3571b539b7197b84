//! Checks every record of the log, the damaged ones and those after them.

use cast_core::domain::Partition;
use diesel::SqliteConnection;

use super::{
    chain,
    read::{self, Chained},
    schema::Row,
};
use crate::{
    groups::Span,
    record,
    sqlite::{damage::Damage, error::Error, position::position},
};

/// What a log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sqlite) struct LogContents {
    pub(in crate::sqlite) records: u64,
    pub(in crate::sqlite) ballots: u64,
    /// Records that are as they were written, and cannot be decoded.
    pub(in crate::sqlite) undecodable: u64,
}

/// Reads all records. Notes each that is damaged or missing, and goes on with the next.
pub(in crate::sqlite) fn verify(
    connection: &mut SqliteConnection,
    damage: &mut Damage,
) -> Result<(LogContents, Vec<Span>), Error> {
    let mut contents = LogContents::default();
    let logs = read::partitions(connection)?;
    for log in &logs {
        let mut expected = Expected::first_of(log);
        read::each_row(connection, log.span, log.span.start, |row| {
            if expected.check(row, damage)? {
                contents.records += 1;
                match record::decode(&row.bytes) {
                    Ok(decoded) => contents.ballots += decoded.ballots.len() as u64,
                    Err(_) => contents.undecodable += 1,
                }
            }
            Ok(true)
        })?;
        expected.end(log, damage);
    }
    Ok((contents, logs.iter().map(|log| log.span).collect()))
}

/// The next record of a partition.
pub(super) struct Expected {
    partition: Partition,
    at: u64,
    /// The checksum of the record before; `None` if that is missing.
    before: Option<u32>,
}

impl Expected {
    pub(super) const fn first_of(log: &Chained) -> Self {
        let (first, _) = log.ends();
        Self {
            partition: log.span.partition,
            at: log.span.start,
            before: Some(first),
        }
    }

    /// Its offset.
    pub(super) const fn offset(&self) -> u64 {
        self.at
    }

    /// Takes the next row that there is, and notes what is wrong with it or missing before it. Returns
    /// whether it is as it was written.
    pub(super) fn check(&mut self, row: &Row, damage: &mut Damage) -> Result<bool, Error> {
        let at = position(row.position)?.offset.get();
        self.missing_before(at, damage);
        let is_whole = self
            .before
            .is_none_or(|before| i64::from(chain::crc(before, row)) == row.crc);
        if !is_whole {
            damage.note(format!("{}: its checksum is wrong", self.name(at)));
        }
        self.at = at + 1;
        self.before = Some(chain::stored(row.crc)?);
        Ok(is_whole)
    }

    fn missing_before(&mut self, at: u64, damage: &mut Damage) {
        if at > self.at {
            let count = at - self.at;
            damage.note(format!(
                "{}: {count} records are missing",
                self.name(self.at)
            ));
            self.before = None;
        }
    }

    /// Notes what is wrong about the end, after the last row.
    pub(super) fn end(mut self, log: &Chained, damage: &mut Damage) {
        let (end, (_, last)) = (log.span.end, log.ends());
        self.missing_before(end, damage);
        if self.before.is_some_and(|before| before != last) {
            damage.note(format!(
                "{}: the checksum of the last record is not the one that is noted beside it",
                self.name(end.saturating_sub(1))
            ));
        }
    }

    fn name(&self, offset: u64) -> String {
        format!(
            "log.db, partition {}, offset {offset}",
            self.partition.get()
        )
    }
}
