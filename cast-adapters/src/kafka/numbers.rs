//! Partitions and offsets as the client has them.

use cast_core::domain::{Offset, Partition};

/// The client's number of a partition.
pub(super) fn number(partition: Partition) -> i32 {
    i32::try_from(partition.get()).unwrap_or(i32::MAX)
}

/// The partition of a client's number.
pub(super) fn partition(number: i32) -> Option<Partition> {
    u32::try_from(number).ok().map(Partition::new)
}

/// An offset from the client; it uses negative numbers for special values.
pub(super) fn offset(at: i64) -> Option<Offset> {
    u64::try_from(at).ok().map(Offset::new)
}
