//! When a connection's votes are due.

use std::time::Duration;

/// At a rate, votes are due at even distances, dealt out to the connections in turn. Without one, a
/// vote is due when the one before is answered.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<u32>,
    connections: u64,
    begin: Duration,
    /// The how many-th vote of all connections this one's next is.
    next: u64,
}

impl Pace {
    pub(super) fn new(
        rate: Option<u32>,
        connections: usize,
        number: usize,
        begin: Duration,
    ) -> Self {
        Self {
            rate,
            connections: connections as u64,
            begin,
            next: number as u64,
        }
    }

    /// When the next vote is due, by the clock's `monotonic`.
    pub(super) fn next(&mut self) -> Option<Duration> {
        let due = self.due();
        self.next += self.connections;
        due
    }

    /// How many votes are due before `end`, and have not been asked for.
    pub(super) fn due_before(&mut self, end: Duration) -> u64 {
        let mut count = 0;
        while self.due().is_some_and(|due| due < end) {
            self.next += self.connections;
            count += 1;
        }
        count
    }

    fn due(&self) -> Option<Duration> {
        let rate = u64::from(self.rate?);
        let (seconds, rest) = (self.next / rate, self.next % rate);
        let rest = Duration::from_nanos(rest * 1_000_000_000 / rate);
        Some(self.begin + Duration::from_secs(seconds) + rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Duration = Duration::from_secs(5);

    #[test]
    fn without_a_rate_nothing_is_due() {
        let mut pace = Pace::new(None, 4, 1, BEGIN);
        assert_eq!((pace.next(), pace.due_before(BEGIN * 9)), (None, 0));
    }

    #[test]
    fn the_connections_take_turns() {
        let mut all: Vec<_> = (0..3)
            .flat_map(|number| {
                let mut pace = Pace::new(Some(6), 3, number, BEGIN);
                [pace.next().unwrap(), pace.next().unwrap()]
            })
            .collect();
        all.sort_unstable();
        let sixth = |n: u64| BEGIN + Duration::from_nanos(n * 1_000_000_000 / 6);
        assert_eq!(all, (0..6).map(sixth).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_not_begun_is_counted() {
        let mut pace = Pace::new(Some(10), 2, 0, BEGIN);
        pace.next();
        // 0.2 s, 0.4 s, 0.6 s and 0.8 s after the beginning.
        assert_eq!(pace.due_before(BEGIN + Duration::from_secs(1)), 4);
    }
}
