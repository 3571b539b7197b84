//! The system's time.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the Clock port's way to the system"
)]

use std::{
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use cast_core::domain::{Clock, Timestamp};

/// The system's clocks. All values of this type are the same clock.
///
/// [`monotonic`](Clock::monotonic) counts from a moment early in the life of the process. A time
/// before 1970 reads as 1970: such a clock is wrong anyway, and its tickets are refused. Sleeping
/// needs a tokio runtime with its timer enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// What `monotonic` counts from: one for the process, so that any two clocks agree.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let since_epoch = since_epoch.unwrap_or_default();
        Timestamp::default().plus(since_epoch)
    }

    fn monotonic(&self) -> Duration {
        // The origin is set first: otherwise the first reading would be before it.
        let origin = *ORIGIN;
        Instant::now().duration_since(origin)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_in_this_century() {
        let year_2025 = Timestamp::from_unix_ms(1_735_689_600_000);
        let year_2100 = Timestamp::from_unix_ms(4_102_444_800_000);
        let now = SystemClock.now();
        assert!(year_2025 < now && now < year_2100, "{now:?}");
    }

    #[tokio::test]
    async fn a_sleep_lasts_as_long_as_asked_by_the_monotonic_clock() {
        let asked = Duration::from_millis(5);
        let before = SystemClock.monotonic();
        SystemClock.sleep(asked).await;
        assert!(SystemClock.monotonic() >= before + asked);
    }
}
