//! Points in time.

use std::{fmt, time::Duration};

/// A point in time: milliseconds since the Unix epoch, UTC.
///
/// Arithmetic saturates instead of panicking: where a clock is wrong by centuries, tickets are refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// `ms` milliseconds after the Unix epoch.
    pub const fn from_unix_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_unix_ms(self) -> u64 {
        self.0
    }

    /// This time plus `later`, in whole milliseconds.
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(whole_ms(later)))
    }

    /// This time minus `earlier`, in whole milliseconds.
    pub fn minus(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(whole_ms(earlier)))
    }

    /// The time since `earlier`; zero if `earlier` is later than this.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The last multiple of `period` at or before this time.
    ///
    /// Periods are counted from the epoch, so that all processes agree on them without coordination.
    pub fn period_start(self, period: Duration) -> Self {
        let period_ms = whole_ms(period).max(1);
        Self(self.0 - self.0 % period_ms)
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_starts_at_a_multiple_of_its_length() {
        let period = Duration::from_secs(2);
        let start = |ms| {
            Timestamp::from_unix_ms(ms)
                .period_start(period)
                .as_unix_ms()
        };
        assert_eq!(
            [start(0), start(1_999), start(2_000), start(5_001)],
            [0, 0, 2_000, 4_000]
        );
    }

    #[test]
    fn no_time_has_passed_where_the_clock_went_back() {
        let (early, late) = (Timestamp::from_unix_ms(5), Timestamp::from_unix_ms(9));
        assert_eq!(late.since(early), Duration::from_millis(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }

    #[test]
    fn a_time_moves_by_whole_milliseconds_and_stays_within_its_range() {
        let at = Timestamp::from_unix_ms;
        let step = Duration::from_micros(2_900);
        assert_eq!(at(1_000).plus(step), at(1_002));
        assert_eq!(at(1_000).minus(step), at(998));
        assert_eq!(at(1).minus(Duration::MAX), at(0));
        assert_eq!(at(1).plus(Duration::MAX), at(u64::MAX));
    }

    #[test]
    fn a_period_of_zero_length_starts_now() {
        let now = Timestamp::from_unix_ms(7);
        assert_eq!(now.period_start(Duration::ZERO), now);
    }

    #[test]
    fn it_is_shown_with_its_unit() {
        let now = Timestamp::from_unix_ms(1_763_826_000_000);
        assert_eq!(format!("{now:?}"), "1763826000000ms");
    }
}
