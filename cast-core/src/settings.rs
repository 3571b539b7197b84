//! The settings, with their defaults.

use std::{fmt, time::Duration};

use crate::ports::GroupName;

/// All settings of a [`Cast`](crate::Cast). Every default is fit for production.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Tickets: how often they change and how long they are valid.
    pub tickets: TicketSettings,
    /// Votes: capacity, group commit, deadlines.
    pub ingest: IngestSettings,
    /// Tallies: how fresh they are, and their deadlines.
    pub tallies: TallySettings,
    /// The fold of the log into the store.
    pub fold: FoldSettings,
}

/// Settings of tickets.
#[derive(Clone, Debug)]
pub struct TicketSettings {
    /// The time between two tickets: each is current for so long.
    pub period: Duration,
    /// How long a ticket is valid after its issue. At least the period, otherwise no ticket would be
    /// valid for a part of each period.
    pub ttl: Duration,
    /// How many ballots can be cast with one ticket.
    pub uses: u32,
    /// The largest difference between this process's clock and the ticket source's. A ticket that is
    /// older than its `ttl` plus this is refused without a call of the ticket source.
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

/// Settings of the vote service.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// How many ballots may wait for a flush. Above that, votes are refused as overloaded.
    pub intake_capacity: usize,
    /// The most ballots of one flush. More than
    /// [`Record::MAX_BALLOTS`](crate::domain::Record::MAX_BALLOTS) become several records.
    pub flush_limit: usize,
    /// How many flushes may run at the same time.
    pub flushes_in_flight: usize,
    /// The most votes of one selection.
    pub max_votes: u32,
    /// How long a ballot may wait for its flush. A ballot that has waited longer when its flush begins is
    /// refused as overloaded. While all flushes are busy, their deadlines limit the wait.
    pub max_wait: Duration,
    /// The deadline of the ticket source in a flush.
    pub redeem_deadline: Duration,
    /// The deadline of the log in a flush.
    pub publish_deadline: Duration,
    /// The deadline of the counter in a flush.
    pub record_deadline: Duration,
    /// How many acknowledged ballots are remembered, so that a ballot that the store has not applied yet
    /// can be found as logged. When the memory is full, the older half is forgotten.
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

/// Settings of the tallies that voters see.
#[derive(Clone, Debug)]
pub struct TallySettings {
    /// A tally that was loaded from the store longer ago than this is refreshed when it is shown next, so
    /// that votes that the counter lost or missed are shown again within this time.
    pub refresh_after: Duration,
    /// The deadline of reading the counter, and of loading tallies into it.
    pub read_deadline: Duration,
    /// The deadline of reading the store.
    pub store_deadline: Duration,
    /// How long the store is not read for voters after a read has failed. Until then they see the tallies
    /// of the counter.
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

/// Settings of the consumers, which fold the log into the store.
#[derive(Clone, Debug)]
pub struct FoldSettings {
    /// The consumer group: its members share the partitions.
    pub group: GroupName,
    /// The most ballots of one transaction. A record is never divided, so one that has more exceeds it.
    pub max_ballots: usize,
    /// The deadline of a transaction in the store.
    pub apply_deadline: Duration,
    /// The deadline of the calls after a transaction: reconciling the counter, and committing or seeking
    /// in the log.
    pub reconcile_deadline: Duration,
    /// The deadline of joining and of leaving the consumer group.
    pub join_deadline: Duration,
    /// How often a consumer checks whether the store was restored from a backup, so that the log is folded
    /// again from there, and retries reconciliations that failed.
    pub progress_interval: Duration,
    /// The pause after a failure. It doubles with each failure in a row.
    pub min_backoff: Duration,
    /// The longest pause after failures in a row.
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
    /// A ticket expires before the next one is valid.
    #[error(
        "{} ({ttl:?}) must be at least {} ({period:?}): otherwise no ticket is valid in between",
        Setting::TicketTtl,
        Setting::TicketPeriod
    )]
    TicketGap {
        /// How long a ticket is valid.
        ttl: Duration,
        /// The time between two tickets.
        period: Duration,
    },
    /// A number that must be at least 1 is 0.
    #[error("{setting} must be at least 1")]
    Zero {
        /// The setting with the wrong value.
        setting: Setting,
    },
    /// A duration that is not a whole number of milliseconds, or is 0.
    #[error("{setting} must be a whole number of milliseconds, at least 1 ms")]
    NotWholeMs {
        /// The setting with the wrong value.
        setting: Setting,
    },
}

/// A setting that can be wrong. Its `Display` is the path of the field in [`Settings`]; each interface has
/// its own names for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// [`TicketSettings::period`]
    TicketPeriod,
    /// [`TicketSettings::ttl`]
    TicketTtl,
    /// [`TicketSettings::uses`]
    TicketUses,
    /// [`IngestSettings::intake_capacity`]
    IntakeCapacity,
    /// [`IngestSettings::flush_limit`]
    FlushLimit,
    /// [`IngestSettings::flushes_in_flight`]
    FlushesInFlight,
    /// [`IngestSettings::max_votes`]
    MaxVotes,
    /// [`FoldSettings::max_ballots`]
    FoldLimit,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TicketPeriod => "tickets.period",
            Self::TicketTtl => "tickets.ttl",
            Self::TicketUses => "tickets.uses",
            Self::IntakeCapacity => "ingest.intake_capacity",
            Self::FlushLimit => "ingest.flush_limit",
            Self::FlushesInFlight => "ingest.flushes_in_flight",
            Self::MaxVotes => "ingest.max_votes",
            Self::FoldLimit => "fold.max_ballots",
        })
    }
}

impl Settings {
    /// Finds values that cannot work, alone or together.
    pub fn check(&self) -> Result<(), SettingsError> {
        let TicketSettings {
            period, ttl, uses, ..
        } = self.tickets;
        for (setting, duration) in [(Setting::TicketPeriod, period), (Setting::TicketTtl, ttl)] {
            if duration.is_zero() || duration.subsec_nanos() % 1_000_000 != 0 {
                return Err(SettingsError::NotWholeMs { setting });
            }
        }
        if ttl < period {
            return Err(SettingsError::TicketGap { ttl, period });
        }
        let counts = [
            (Setting::TicketUses, uses as usize),
            (Setting::IntakeCapacity, self.ingest.intake_capacity),
            (Setting::FlushLimit, self.ingest.flush_limit),
            (Setting::FlushesInFlight, self.ingest.flushes_in_flight),
            (Setting::MaxVotes, self.ingest.max_votes as usize),
            (Setting::FoldLimit, self.fold.max_ballots),
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
            let setting = Setting::TicketPeriod;
            let error = Err(SettingsError::NotWholeMs { setting });
            assert_eq!(of_tickets(wrong, ms(5_000)), error, "{wrong:?}");
            let setting = Setting::TicketTtl;
            let error = Err(SettingsError::NotWholeMs { setting });
            assert_eq!(of_tickets(ms(1), wrong), error, "{wrong:?}");
        }
    }

    #[test]
    fn a_ticket_is_valid_at_least_until_the_next_one_is() {
        let (period, ttl) = (Duration::from_secs(2), Duration::from_millis(1_999));
        let gap = SettingsError::TicketGap { ttl, period };
        assert_eq!(of_tickets(period, ttl), Err(gap));
        assert_eq!(of_tickets(period, period), Ok(()));
        assert_eq!(of_tickets(period, 2 * period), Ok(()));
    }

    #[test]
    fn no_number_may_be_zero() {
        type Clear = fn(&mut Settings);
        let rows: [(Setting, Clear); 6] = [
            (Setting::TicketUses, |s| s.tickets.uses = 0),
            (Setting::IntakeCapacity, |s| s.ingest.intake_capacity = 0),
            (Setting::FlushLimit, |s| s.ingest.flush_limit = 0),
            (Setting::FlushesInFlight, |s| s.ingest.flushes_in_flight = 0),
            (Setting::MaxVotes, |s| s.ingest.max_votes = 0),
            (Setting::FoldLimit, |s| s.fold.max_ballots = 0),
        ];
        for (setting, clear) in rows {
            let mut settings = Settings::default();
            clear(&mut settings);
            assert_eq!(settings.check(), Err(SettingsError::Zero { setting }));
        }
    }
}
