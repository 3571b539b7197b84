//! What can be set, and what it is otherwise.

use std::time::Duration;

use crate::ports::GroupName;

/// All settings of the use cases. Every default is fit for production.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How tickets are issued.
    pub tickets: TicketSettings,
    /// How ballots are taken in.
    pub ingest: IngestSettings,
    /// How tallies are shown.
    pub tallies: TallySettings,
    /// How the log is folded.
    pub fold: FoldSettings,
}

/// How tickets are issued.
#[derive(Clone, Debug)]
pub struct TicketSettings {
    /// How often a new ticket becomes current.
    pub period: Duration,
    /// How long after its issue a ticket votes; at least the period, or there would be gaps.
    pub ttl: Duration,
    /// How many ballots it buys.
    pub uses: u32,
    /// How far this process's clock may be from the ticket source's. A ticket that is older than
    /// its ttl and this is refused without asking.
    pub clock_skew: Duration,
}

impl Default for TicketSettings {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(2),
            ttl: Duration::from_secs(2),
            uses: 100,
            clock_skew: Duration::from_secs(5),
        }
    }
}

/// How ballots are taken in.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// How many ballots may wait; one more is told that the door is overloaded.
    pub intake_capacity: usize,
    /// How many ballots one flush takes. What is more than a record takes
    /// ([`Record::MAX_BALLOTS`](crate::domain::Record::MAX_BALLOTS)) becomes several.
    pub flush_limit: usize,
    /// How many flushes may be under way at once.
    pub flushes_in_flight: usize,
    /// The most votes of one selection.
    pub max_votes: u32,
    /// How long a ballot may wait for its flush: one that waited longer when a slot gets free is
    /// told that the door is overloaded. While all slots are taken, their deadlines bound the wait.
    pub max_wait: Duration,
    /// How long the ticket source may take for a flush.
    pub redeem_deadline: Duration,
    /// How long the log may take for a flush.
    pub publish_deadline: Duration,
    /// How long the counter may take for a flush.
    pub record_deadline: Duration,
    /// How many acknowledged ballots a door remembers at most, to tell that they are logged; it
    /// forgets half of them at once.
    pub remembered: usize,
}

impl Default for IngestSettings {
    fn default() -> Self {
        Self {
            intake_capacity: 4_096,
            flush_limit: 512,
            flushes_in_flight: 4,
            max_votes: 1_000,
            max_wait: Duration::from_secs(2),
            redeem_deadline: Duration::from_secs(1),
            publish_deadline: Duration::from_secs(3),
            record_deadline: Duration::from_secs(1),
            remembered: 65_536,
        }
    }
}

/// How tallies are shown.
#[derive(Clone, Debug)]
pub struct TallySettings {
    /// A tally that was last loaded from the store longer ago than this is loaded again when it is
    /// next shown: whatever the counter lost or missed heals within this time.
    pub refresh_after: Duration,
    /// How long the counter may take to be read.
    pub read_deadline: Duration,
    /// How long the store may take to be read.
    pub store_deadline: Duration,
    /// After the store failed to be read, how long voters are shown what the counter knows before
    /// the store is asked for their sake again.
    pub store_pause: Duration,
}

impl Default for TallySettings {
    fn default() -> Self {
        Self {
            refresh_after: Duration::from_secs(5),
            read_deadline: Duration::from_secs(1),
            store_deadline: Duration::from_secs(1),
            store_pause: Duration::from_secs(1),
        }
    }
}

/// How the log is folded.
#[derive(Clone, Debug)]
pub struct FoldSettings {
    /// The group that the consumers share the work in.
    pub group: GroupName,
    /// How many ballots one transaction takes.
    pub max_ballots: usize,
    /// How long the store may take for a transaction.
    pub apply_deadline: Duration,
    /// How long the counter and the log may take to be told of it.
    pub reconcile_deadline: Duration,
    /// How long the log may take to let a consumer join its group.
    pub join_deadline: Duration,
    /// How often a consumer looks whether the store was put back, for it to be folded again from
    /// there; and makes up for reconciliations that failed.
    pub progress_interval: Duration,
    /// The first pause after a failure; it doubles with each failure in a row.
    pub min_backoff: Duration,
    /// The longest pause.
    pub max_backoff: Duration,
}

impl Default for FoldSettings {
    fn default() -> Self {
        Self {
            group: GroupName::new("cast-vote-consumers"),
            max_ballots: 2_000,
            apply_deadline: Duration::from_secs(30),
            reconcile_deadline: Duration::from_secs(1),
            join_deadline: Duration::from_secs(30),
            progress_interval: Duration::from_secs(5),
            min_backoff: Duration::from_millis(50),
            max_backoff: Duration::from_secs(5),
        }
    }
}

/// Settings that cannot work together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Tickets would leave a gap in which nobody can vote.
    #[error(
        "ticket-ttl ({ttl:?}) must be at least ticket-period ({period:?}), or no ticket is good between them"
    )]
    TicketGap {
        /// How long a ticket votes.
        ttl: Duration,
        /// How often there is a new one.
        period: Duration,
    },
    /// Something that must be at least one is zero.
    #[error("{setting} must be at least 1")]
    Zero {
        /// Its name.
        setting: &'static str,
    },
    /// A period that is not a positive whole number of milliseconds.
    #[error("{setting} must be a whole number of milliseconds, at least 1 ms")]
    NotWholeMs {
        /// Its name.
        setting: &'static str,
    },
}

impl Settings {
    /// Says what cannot work.
    pub fn check(&self) -> Result<(), SettingsError> {
        let TicketSettings {
            period, ttl, uses, ..
        } = self.tickets;
        for (setting, duration) in [("ticket-period", period), ("ticket-ttl", ttl)] {
            if duration.is_zero() || duration.subsec_nanos() % 1_000_000 != 0 {
                return Err(SettingsError::NotWholeMs { setting });
            }
        }
        if ttl < period {
            return Err(SettingsError::TicketGap { ttl, period });
        }
        let counts = [
            ("ticket-uses", uses as usize),
            ("intake-capacity", self.ingest.intake_capacity),
            ("flush-limit", self.ingest.flush_limit),
            ("flushes-in-flight", self.ingest.flushes_in_flight),
            ("max-votes", self.ingest.max_votes as usize),
            ("fold-limit", self.fold.max_ballots),
        ];
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((setting, _)) => Err(SettingsError::Zero { setting }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_tickets(period: Duration, ttl: Duration) -> Result<(), SettingsError> {
        let mut settings = Settings::default();
        settings.tickets.period = period;
        settings.tickets.ttl = ttl;
        settings.check()
    }

    #[test]
    fn the_defaults_work() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn period_and_ttl_are_whole_milliseconds_and_at_least_one() {
        let ms = Duration::from_millis;
        assert_eq!(of_tickets(ms(1), ms(1)), Ok(()));
        let half_a_ms_more = ms(1_000) + Duration::from_micros(500);
        for wrong in [Duration::ZERO, Duration::from_micros(999), half_a_ms_more] {
            let setting = "ticket-period";
            let error = Err(SettingsError::NotWholeMs { setting });
            assert_eq!(of_tickets(wrong, ms(5_000)), error, "{wrong:?}");
            let setting = "ticket-ttl";
            let error = Err(SettingsError::NotWholeMs { setting });
            assert_eq!(of_tickets(ms(1), wrong), error, "{wrong:?}");
        }
    }

    #[test]
    fn a_ticket_votes_at_least_until_the_next_is_there() {
        let (period, ttl) = (Duration::from_secs(2), Duration::from_millis(1_999));
        let gap = SettingsError::TicketGap { ttl, period };
        assert_eq!(of_tickets(period, ttl), Err(gap));
        assert_eq!(of_tickets(period, period), Ok(()));
        assert_eq!(of_tickets(period, 2 * period), Ok(()));
    }

    #[test]
    fn nothing_that_is_counted_may_be_zero() {
        type Clear = fn(&mut Settings);
        let rows: [(&str, Clear); 6] = [
            ("ticket-uses", |s| s.tickets.uses = 0),
            ("intake-capacity", |s| s.ingest.intake_capacity = 0),
            ("flush-limit", |s| s.ingest.flush_limit = 0),
            ("flushes-in-flight", |s| s.ingest.flushes_in_flight = 0),
            ("max-votes", |s| s.ingest.max_votes = 0),
            ("fold-limit", |s| s.fold.max_ballots = 0),
        ];
        for (setting, clear) in rows {
            let mut settings = Settings::default();
            clear(&mut settings);
            assert_eq!(settings.check(), Err(SettingsError::Zero { setting }));
        }
    }
}
