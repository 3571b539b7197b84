//! The last records of each partition, as they were appended: the fold follows the log closely, and then
//! needs neither a read of the file nor a decoding.

use std::{collections::VecDeque, sync::Arc};

use cast_core::domain::{LogBatch, LogEntry, LoggedBallot, Offset, Partition};

/// Ballots of a partition that are kept at most.
const MAX_BALLOTS: usize = 32_768;

/// The records from some offset on, without gaps.
#[derive(Default)]
pub(super) struct LatestRecords {
    start: u64,
    records: VecDeque<Arc<[LoggedBallot]>>,
    ballots: usize,
}

impl LatestRecords {
    /// Adds the record that was appended at `offset`. A gap before it forgets those before.
    pub(super) fn push(&mut self, offset: Offset, ballots: Arc<[LoggedBallot]>) {
        let end = self.start + self.records.len() as u64;
        if offset.get() != end {
            self.clear(offset);
        }
        self.ballots += ballots.len();
        self.records.push_back(ballots);
        while self.ballots > MAX_BALLOTS
            && let Some(first) = self.records.pop_front()
        {
            self.ballots -= first.len();
            self.start += 1;
        }
    }

    /// Forgets all records before `offset`, the next one.
    pub(super) fn clear(&mut self, offset: Offset) {
        *self = Self {
            start: offset.get(),
            ..Self::default()
        };
    }

    /// The records from `from` on: at least one, and otherwise no more than `max_ballots` ballots. `None` if
    /// the first of them is not here.
    pub(super) fn read(
        &self,
        partition: Partition,
        from: Offset,
        max_ballots: usize,
    ) -> Option<LogBatch> {
        let skipped = usize::try_from(from.get().checked_sub(self.start)?).ok()?;
        let mut entries: Vec<LogEntry> = Vec::new();
        let (mut next, mut ballots) = (from, 0);
        for record in self.records.range(skipped.min(self.records.len())..) {
            ballots += record.len();
            if ballots > max_ballots && !entries.is_empty() {
                break;
            }
            entries.push(LogEntry {
                offset: next,
                content: Ok(Arc::clone(record)),
            });
            next = next.next();
        }
        (!entries.is_empty()).then_some(LogBatch {
            partition,
            start: from,
            next,
            entries,
        })
    }
}

#[cfg(test)]
mod tests {
    use cast_testkit::fixtures::Fixtures;

    use super::*;

    const P0: Partition = Partition::new(0);

    fn ballots(count: usize) -> Arc<[LoggedBallot]> {
        let fixtures = Fixtures::new();
        let ballot = fixtures.ballot(&[(&fixtures.candidate("alice"), 1)]);
        vec![ballot; count].into()
    }

    fn span(latest: &LatestRecords, from: u64, max_ballots: usize) -> Option<(u64, u64)> {
        let batch = latest.read(P0, Offset::new(from), max_ballots)?;
        Some((batch.start.get(), batch.next.get()))
    }

    #[test]
    fn it_has_the_records_since_the_last_gap() {
        let mut latest = LatestRecords::default();
        for offset in [4, 5, 6] {
            latest.push(Offset::new(offset), ballots(2));
        }
        assert_eq!(span(&latest, 3, 100), None);
        assert_eq!(span(&latest, 4, 100), Some((4, 7)));
        assert_eq!(span(&latest, 5, 3), Some((5, 6)));
        assert_eq!(span(&latest, 5, 1), Some((5, 6)), "one record at least");
        assert_eq!(span(&latest, 7, 100), None);
        assert_eq!(span(&latest, 9, 100), None);
        latest.push(Offset::new(9), ballots(1));
        assert_eq!(span(&latest, 6, 100), None);
        assert_eq!(span(&latest, 9, 100), Some((9, 10)));
    }

    #[test]
    fn it_is_bounded_by_ballots() {
        let mut latest = LatestRecords::default();
        for offset in 0..3 {
            latest.push(Offset::new(offset), ballots(MAX_BALLOTS / 2));
        }
        assert_eq!(span(&latest, 0, 1), None);
        assert_eq!(span(&latest, 1, usize::MAX), Some((1, 3)));
    }
}
