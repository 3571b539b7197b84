//! Which partitions a log has.

use cast_core::{domain::Partition, ports::PortError};

/// The index of a partition of a log that has so many; refused for one that it does not have.
pub(crate) fn index_of(
    partition: Partition,
    count: usize,
    operation: &'static str,
) -> Result<usize, PortError> {
    let number = partition.get();
    let known = usize::try_from(number).ok().filter(|index| *index < count);
    known.ok_or_else(|| {
        PortError::misconfigured(
            operation,
            format!(
                "there is no partition {number}: this log has {count} partitions, counted from 0. All \
                 servers must use the same number of partitions"
            ),
        )
    })
}
