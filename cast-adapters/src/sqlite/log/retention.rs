//! Dropping the first records.

use cast_core::{
    domain::{Offset, Partition},
    ports::PortError,
};

use super::{SqliteBus, append};
use crate::sqlite::writer::End;

/// Records that are dropped in one transaction: those who publish wait for it.
const RECORDS_AT_ONCE: u32 = 1_000;

const DROPPING: &str = "dropping records of the log";

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
}
