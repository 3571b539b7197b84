//! How old the oldest record is that the store has not applied.

use std::{collections::VecDeque, time::Duration};

use cast_core::domain::Offset;

/// How many ends of the log are remembered. Where there are more, some between are forgotten: the
/// age is then too low, by no more than the time between two that are remembered.
const MAX_SEEN: usize = 64;

/// When the log was first seen to reach how far, for what the store has not applied.
///
/// Records have no time of their own. But what lies before an end that was seen at some time was in the
/// log by then.
#[derive(Debug, Default)]
pub(super) struct Age {
    /// By time, and by end; all ends are behind the store's progress.
    seen: VecDeque<(Duration, Offset)>,
}

impl Age {
    /// For how long, by the monotonic clock, the record at `progress` has been seen in the log;
    /// nothing if the store has all of it. It is too low by no more than the time since the
    /// observation before the record's first.
    pub(super) fn observe(&mut self, now: Duration, end: Offset, progress: Offset) -> Duration {
        self.seen.retain(|(_, end)| *end > progress);
        let is_news = self.seen.back().is_none_or(|(_, last)| *last < end);
        if end > progress && is_news {
            self.forget_some();
            self.seen.push_back((now, end));
        }
        let oldest = self.seen.front();
        oldest.map_or(Duration::ZERO, |(since, _)| now.saturating_sub(*since))
    }

    /// Every other one, but never the first: it is the age of now.
    fn forget_some(&mut self) {
        if self.seen.len() >= MAX_SEEN {
            let mut at = 0;
            self.seen.retain(|_| {
                at += 1;
                at % 2 == 1
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The age after so many seconds, with the log's end and the store's progress there.
    fn after(age: &mut Age, seconds: u64, end: u64, progress: u64) -> u64 {
        let now = Duration::from_secs(seconds);
        let age = age.observe(now, Offset::new(end), Offset::new(progress));
        age.as_secs()
    }

    #[test]
    fn a_store_that_has_everything_has_no_age() {
        let mut age = Age::default();
        assert_eq!(after(&mut age, 0, 0, 0), 0);
        assert_eq!(after(&mut age, 100, 7, 7), 0);
        assert_eq!(after(&mut age, 200, 7, 7), 0);
    }

    #[test]
    fn it_grows_while_the_store_stands_still_and_is_that_of_the_oldest_record_left() {
        let mut age = Age::default();
        assert_eq!(after(&mut age, 10, 5, 0), 0, "seen for the first time");
        assert_eq!(after(&mut age, 20, 9, 0), 10);
        assert_eq!(after(&mut age, 30, 12, 4), 20, "record 4 was there at 10");
        assert_eq!(after(&mut age, 40, 12, 5), 20, "record 5 was there at 20");
        assert_eq!(after(&mut age, 50, 12, 11), 20, "record 11 was there at 30");
        assert_eq!(after(&mut age, 60, 12, 12), 0);
    }

    #[test]
    fn a_store_that_was_restored_from_a_backup_begins_anew() {
        let mut age = Age::default();
        assert_eq!(after(&mut age, 10, 9, 9), 0);
        assert_eq!(after(&mut age, 20, 9, 3), 0);
        assert_eq!(after(&mut age, 30, 9, 3), 10);
    }

    #[test]
    fn it_remembers_little_and_never_forgets_the_oldest() {
        let mut age = Age::default();
        for seconds in 0..100_000 {
            assert_eq!(after(&mut age, seconds, seconds + 1, 0), seconds);
            assert!(age.seen.len() <= MAX_SEEN);
        }
        let left = after(&mut age, 100_000, 100_000, 50_000);
        assert!((1..=50_000).contains(&left), "never too high: {left}");
    }
}
