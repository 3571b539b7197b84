//! Pauses between retries.

use std::time::Duration;

/// Exponential back-off: the pause doubles with each failure in a row, from a least to a longest one.
/// There is no jitter: the few processes that share a server do not retry in step.
///
/// ```
/// use std::time::Duration;
///
/// use cast_core::Backoff;
///
/// let ms = Duration::from_millis;
/// let mut backoff = Backoff::new(ms(50), ms(150));
/// let pauses = [(); 3].map(|()| backoff.next_pause());
/// assert_eq!(pauses, [50, 100, 150].map(ms));
/// backoff.reset();
/// assert_eq!(backoff.next_pause(), ms(50));
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Pauses from `min` to `max`. A `min` below 1 ms counts as 1 ms, a `max` below `min` as `min`.
    pub fn new(min: Duration, max: Duration) -> Self {
        let min = min.max(Duration::from_millis(1));
        Self {
            min,
            max: max.max(min),
            next: min,
        }
    }

    /// The pause after one more failure.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.max);
        pause
    }

    /// Begins again with the least pause, after a success.
    pub fn reset(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(50), ms(300));
        let pauses: Vec<_> = (0..5).map(|_| backoff.next_pause()).collect();
        assert_eq!(pauses, [50, 100, 200, 300, 300].map(ms));
        backoff.reset();
        assert_eq!(backoff.next_pause(), ms(50));
    }

    #[test]
    fn a_pause_is_never_zero() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert_eq!(backoff.next_pause(), Duration::from_millis(1));
        assert_eq!(backoff.next_pause(), Duration::from_millis(1));
    }
}
