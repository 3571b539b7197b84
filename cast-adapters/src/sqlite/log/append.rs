//! What the writer's thread does to the log.

use cast_core::domain::{Offset, Partition, Partitions, Timestamp};
use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _,
    SqliteConnection, insert_into, update,
};

use super::{
    chain,
    schema::{Row, partitions, records},
    statements::{AdvancePartition, InsertRecord, PartitionEnd},
};
use crate::sqlite::{
    error::Error,
    position::{number, unsigned, whole},
};

/// Makes the partitions of a new log. Returns how many the log has: the number never changes.
pub(super) fn begin(
    connection: &mut SqliteConnection,
    count: Partitions,
) -> Result<Partitions, Error> {
    let found: i64 = partitions::table.count().get_result(connection)?;
    let found = u32::try_from(found).ok().and_then(Partitions::new);
    if let Some(found) = found {
        return Ok(found);
    }
    for partition in count.iter() {
        insert_into(partitions::table)
            .values((
                partitions::partition.eq(i64::from(partition.get())),
                partitions::start.eq(0),
                partitions::start_crc.eq(i64::from(chain::FIRST)),
                partitions::next.eq(0),
                partitions::crc.eq(i64::from(chain::FIRST)),
                partitions::appended_at.eq(0),
            ))
            .execute(connection)?;
    }
    Ok(count)
}

/// Appends a record to its partition, which must be one of the log.
pub(super) fn append(
    connection: &mut SqliteConnection,
    partition: Partition,
    bytes: &[u8],
    now: Timestamp,
) -> Result<Offset, Error> {
    let partition_number = i64::from(partition.get());
    let end = PartitionEnd {
        partition: partition_number,
    };
    let (next, crc, last): (i64, i64, i64) = end.get_result(connection)?;
    let at = Offset::new(unsigned("an offset", next)?);
    let now = i64::try_from(now.as_unix_ms()).unwrap_or(i64::MAX);
    let row = Row {
        position: number(partition, at)?,
        // The wall clock may go back, and the times of a partition may not.
        appended_at: now.max(last),
        crc: 0,
        bytes: bytes.to_vec(),
    };
    let crc = i64::from(chain::crc(chain::stored(crc)?, &row));
    let advance = AdvancePartition {
        next: next + 1,
        crc,
        appended_at: row.appended_at,
        partition: partition_number,
    };
    advance.execute(connection)?;
    let insert = InsertRecord {
        position: row.position,
        appended_at: row.appended_at,
        crc,
        bytes: row.bytes,
    };
    insert.execute(connection)?;
    Ok(at)
}

/// Drops at most `max` of the first records of a partition, of those before `before`. Returns the offset
/// of the first record that is kept.
pub(super) fn drop_some(
    connection: &mut SqliteConnection,
    partition: Partition,
    before: Offset,
    max: u32,
) -> Result<Offset, Error> {
    let of_partition = partitions::table.find(i64::from(partition.get()));
    let (start, next): (i64, i64) = of_partition
        .select((partitions::start, partitions::next))
        .first(connection)?;
    let (start, next) = (unsigned("a start", start)?, unsigned("an offset", next)?);
    let kept = before.get().min(next).min(start + u64::from(max));
    if kept <= start {
        return Ok(Offset::new(start));
    }
    let last = number(partition, Offset::new(kept - 1))?;
    let crc: Option<i64> = records::table
        .find(last)
        .select(records::crc)
        .first(connection)
        .optional()?;
    let crc = crc.ok_or_else(|| super::read::missing(partition, Offset::new(kept - 1)))?;
    let first = number(partition, Offset::new(start))?;
    diesel::delete(records::table.filter(records::position.between(first, last)))
        .execute(connection)?;
    let kept_from = whole("an offset", kept)?;
    update(of_partition)
        .set((
            partitions::start.eq(kept_from),
            partitions::start_crc.eq(crc),
        ))
        .execute(connection)?;
    Ok(Offset::new(kept))
}
