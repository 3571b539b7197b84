//! The tickets of a run: how many uses each had, and how many votes they allow.

use std::time::Duration;

/// The limits of the tickets of a run, in their order.
#[derive(Debug, Default)]
pub(super) struct TicketLimits(Vec<TicketLimit>);

#[derive(Clone, Copy, Debug)]
struct TicketLimit {
    /// How many uses it had when it was first seen.
    uses: u64,
    /// When it ends, in milliseconds since the Unix epoch.
    valid_until_ms: Option<u64>,
}

/// What the tickets of a run allow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Allowance {
    /// How many tickets were seen.
    pub(super) tickets: usize,
    /// The most uses that one had.
    pub(super) uses: u64,
    /// How far their ends are apart, if two or more were seen.
    pub(super) period: Option<Duration>,
}

impl TicketLimits {
    /// Adds a ticket; returns its number.
    pub(super) fn push(&mut self, uses: u64, valid_until_ms: Option<u64>) -> usize {
        self.0.push(TicketLimit {
            uses,
            valid_until_ms,
        });
        self.0.len() - 1
    }

    /// How many uses a ticket had.
    pub(super) fn uses(&self, ticket: usize) -> u64 {
        self.0[ticket].uses
    }

    pub(super) fn allowance(&self) -> Allowance {
        Allowance {
            tickets: self.0.len(),
            uses: self.0.iter().map(|it| it.uses).max().unwrap_or(0),
            period: self.period(),
        }
    }

    fn period(&self) -> Option<Duration> {
        let (first, last) = (self.0.first()?, self.0.last()?);
        let ms = last.valid_until_ms?.checked_sub(first.valid_until_ms?)?;
        let gaps = u32::try_from(self.0.len() - 1).ok()?;
        let period = Duration::from_millis(ms).checked_div(gaps)?;
        (!period.is_zero()).then_some(period)
    }
}

/// A ticket with so many uses bounds no server: more votes a period than one takes.
const PLENTY: u64 = 500_000;

impl Allowance {
    /// Whether the tickets may bound the rate.
    pub(super) const fn is_small(&self) -> bool {
        self.uses < PLENTY
    }

    /// How the tickets bound the rate, in words; `None` if `rate` keeps below. `left` is how long the
    /// first ticket is still valid.
    pub(super) fn bound(&self, rate: Option<u32>, left: Option<Duration>) -> Option<String> {
        let uses = self.uses;
        if let (Some(period), Some(bound)) = (self.period, self.votes_per_second()) {
            let is_below = rate.is_some_and(|rate| f64::from(rate) <= bound);
            let period = humantime::format_duration(period);
            return (!is_below).then(|| {
                format!("tickets here allow about {bound:.0} votes/s ({uses} uses every {period})")
            });
        }
        let left = left.map_or(String::new(), |left| {
            let left = Duration::from_secs(left.as_secs());
            format!(" for another {}", humantime::format_duration(left))
        });
        Some(format!("the ticket here allows {uses} votes{left}"))
    }

    /// The votes that the tickets allow in a second.
    pub(super) fn votes_per_second(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a rate to be shown")]
        self.period.map(|it| self.uses as f64 / it.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_bound_the_rate() {
        let mut limits = TicketLimits::default();
        assert_eq!(limits.allowance(), Allowance::default());
        limits.push(7, Some(2_000));
        assert_eq!(limits.allowance().votes_per_second(), None);
        // The first one was seen near its end.
        for (uses, ms) in [(100, 4_000), (99, 6_000)] {
            limits.push(uses, Some(ms));
        }
        let allowance = limits.allowance();
        assert_eq!((allowance.tickets, allowance.uses), (3, 100));
        assert_eq!(allowance.votes_per_second(), Some(50.0));
        assert_eq!(limits.uses(0), 7);
    }

    #[test]
    fn a_bound_is_named_unless_the_rate_is_below() {
        let period = Some(Duration::from_secs(2));
        let mut allowance = Allowance {
            tickets: 2,
            uses: 100,
            period,
        };
        assert!(allowance.is_small());
        let text = "tickets here allow about 50 votes/s (100 uses every 2s)";
        for rate in [None, Some(51)] {
            assert_eq!(allowance.bound(rate, None).as_deref(), Some(text));
        }
        assert_eq!(allowance.bound(Some(50), None), None);
        allowance.period = None;
        let left = Some(Duration::from_millis(7_900));
        let text = "the ticket here allows 100 votes for another 7s";
        assert_eq!(allowance.bound(None, left).as_deref(), Some(text));
    }

    #[test]
    fn without_ends_there_is_no_rate() {
        let mut limits = TicketLimits::default();
        for end in [None, Some(1), Some(1)] {
            limits.push(1, end);
        }
        assert_eq!(limits.allowance().period, None);
    }
}
