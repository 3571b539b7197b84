//! How long to wait after something went wrong.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(250);

/// Longer from time to time. A server that is full or gone is not helped by being asked at once,
/// and one that came back should not wait for long.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// How long to wait this time.
    pub(super) fn longer(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_up_to_a_limit() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.longer(), FIRST);
        assert_eq!(backoff.longer(), FIRST * 2);
        let last = (0..20).map(|_| backoff.longer()).last();
        assert_eq!(last, Some(LONGEST));
    }
}
