//! Checks every record of the log, the damaged ones and those after them.

use cast_core::domain::{Offset, Partition};
use diesel::{
    ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _, SelectableHelper as _,
    SqliteConnection,
};

use super::{
    chain, read,
    schema::{Row, records},
};
use crate::{
    groups::Span,
    record,
    sqlite::{
        damage::Damage,
        error::Error,
        position::{number, position},
    },
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
        let span = log.span;
        let (first, last) = log.ends();
        let mut next = Expected {
            partition: span.partition,
            at: span.start,
            before: Some(first),
        };
        if span.start < span.end {
            let from = number(span.partition, Offset::new(span.start))?;
            let upto = number(span.partition, Offset::new(span.end - 1))?;
            let rows = records::table
                .filter(records::position.between(from, upto))
                .select(Row::as_select())
                .order(records::position)
                .load_iter::<Row, _>(connection)?;
            for row in rows {
                next.take(&row?, &mut contents, damage)?;
            }
        }
        next.end(span.end, last, damage);
    }
    Ok((contents, logs.iter().map(|log| log.span).collect()))
}

/// The next record of a partition.
struct Expected {
    partition: Partition,
    at: u64,
    /// The checksum of the record before; `None` if that is missing.
    before: Option<u32>,
}

impl Expected {
    fn take(
        &mut self,
        row: &Row,
        contents: &mut LogContents,
        damage: &mut Damage,
    ) -> Result<(), Error> {
        let at = position(row.position)?.offset.get();
        self.missing_before(at, damage);
        let is_whole = self
            .before
            .is_none_or(|before| i64::from(chain::crc(before, row)) == row.crc);
        if is_whole {
            contents.records += 1;
            match record::decode(&row.bytes) {
                Ok(decoded) => contents.ballots += decoded.ballots.len() as u64,
                Err(_) => contents.undecodable += 1,
            }
        } else {
            damage.note(format!("{}: its checksum is wrong", self.name(at)));
        }
        self.at = at + 1;
        self.before = Some(chain::stored(row.crc)?);
        Ok(())
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

    fn end(mut self, end: u64, last: u32, damage: &mut Damage) {
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
