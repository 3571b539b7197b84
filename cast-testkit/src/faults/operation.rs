//! The operations of the ports, by name.

use std::fmt;

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// One operation of one port.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {
            $($(#[$doc])* $variant,)*
        }

        impl Operation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name: the port's and the method's.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

operations! {
    /// [`TicketSource::now`](cast_core::ports::TicketSource::now)
    Now => "tickets.now",
    /// [`TicketSource::publish`](cast_core::ports::TicketSource::publish)
    PublishTicket => "tickets.publish",
    /// [`TicketSource::current`](cast_core::ports::TicketSource::current)
    CurrentTicket => "tickets.current",
    /// [`TicketSource::redeem`](cast_core::ports::TicketSource::redeem)
    Redeem => "tickets.redeem",
    /// [`EventBus::partitions`](cast_core::ports::EventBus::partitions)
    Partitions => "bus.partitions",
    /// [`EventBus::publish`](cast_core::ports::EventBus::publish)
    Publish => "bus.publish",
    /// [`EventBus::subscribe`](cast_core::ports::EventBus::subscribe)
    Subscribe => "bus.subscribe",
    /// [`EventBus::lag`](cast_core::ports::EventBus::lag)
    Lag => "bus.lag",
    /// [`Subscription::next`](cast_core::ports::Subscription::next)
    Next => "bus.next",
    /// [`Subscription::seek`](cast_core::ports::Subscription::seek)
    Seek => "bus.seek",
    /// [`Subscription::commit`](cast_core::ports::Subscription::commit)
    Commit => "bus.commit",
    /// [`Subscription::close`](cast_core::ports::Subscription::close)
    Close => "bus.close",
    /// [`VoteCounter::record`](cast_core::ports::VoteCounter::record)
    Record => "counter.record",
    /// [`VoteCounter::reconcile`](cast_core::ports::VoteCounter::reconcile)
    Reconcile => "counter.reconcile",
    /// [`VoteCounter::read`](cast_core::ports::VoteCounter::read)
    Read => "counter.read",
    /// [`VoteCounter::applied_totals`](cast_core::ports::VoteCounter::applied_totals)
    AppliedTotals => "counter.applied_totals",
    /// [`VoteStore::progress`](cast_core::ports::VoteStore::progress)
    Progress => "store.progress",
    /// [`VoteStore::apply`](cast_core::ports::VoteStore::apply)
    Apply => "store.apply",
    /// [`VoteStore::dry_run`](cast_core::ports::VoteStore::dry_run)
    DryRun => "store.dry_run",
    /// [`VoteStore::tallies`](cast_core::ports::VoteStore::tallies)
    Tallies => "store.tallies",
    /// [`VoteStore::leaders`](cast_core::ports::VoteStore::leaders)
    Leaders => "store.leaders",
    /// [`VoteStore::ballot`](cast_core::ports::VoteStore::ballot)
    Ballot => "store.ballot",
    /// [`VoteStore::recount`](cast_core::ports::VoteStore::recount)
    Recount => "store.recount",
    /// [`VoteStore::stored_ballots`](cast_core::ports::VoteStore::stored_ballots)
    StoredBallots => "store.stored_ballots",
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
