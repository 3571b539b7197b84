//! From which positions a partition can be read.

use cast_core::{
    domain::{LogEntry, LogFingerprint, Offset, Partition, Progress},
    ports::PortError,
};

/// The records that a partition has: those from `start` to before `end`.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) partition: Partition,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Span {
    /// Refuses an offset from which the partition cannot be read without a gap. `advice` says what to do
    /// when its first records are gone.
    pub(crate) fn check(&self, from: Offset, advice: &str) -> Result<(), PortError> {
        let (partition, from) = (self.partition.get(), from.get());
        let (start, end) = (self.start, self.end);
        if from > end {
            Err(refused(format!(
                "the consumer must resume partition {partition} at offset {from}, but the partition \
                 ends at {end}: the store belongs to another log. Start with the store of this log, or \
                 with an empty one"
            )))
        } else if from < start {
            Err(refused(format!(
                "the consumer must resume partition {partition} at offset {from}, but the records \
                 before {start} are gone: {advice}"
            )))
        } else {
            Ok(())
        }
    }

    /// The last ballot of a progress, if the partition still has its record.
    pub(crate) fn known(&self, progress: Progress) -> Option<LogFingerprint> {
        progress.last.filter(|last| last.offset.get() >= self.start)
    }

    /// Refuses a log whose record at the fingerprint's offset, which is `entry`, is another one.
    pub(crate) fn check_fingerprint(
        &self,
        fingerprint: LogFingerprint,
        entry: Option<&LogEntry>,
    ) -> Result<(), PortError> {
        if entry.is_some_and(|entry| entry.is_at(fingerprint)) {
            return Ok(());
        }
        Err(refused(format!(
            "partition {} does not have the ballot {} at offset {}, where the store applied it: the \
             store belongs to another log. Start with the store of this log, or with an empty one",
            self.partition.get(),
            fingerprint.ballot,
            fingerprint.offset.get()
        )))
    }
}

fn refused(complaint: String) -> PortError {
    PortError::misconfigured("reading the log", complaint)
}
