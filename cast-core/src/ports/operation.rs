//! The operations of the ports, by name.

use std::fmt;

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident => $port:literal . $method:literal,)*) => {
        /// One operation of one port: what a metric, a fault or an error is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {
            $($(#[$doc])* $variant,)*
        }

        impl Operation {
            /// All operations, in the order of their declaration: `ALL[operation as usize]` is `operation`.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The port and the method, as in `tickets.redeem`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($port, ".", $method),)*
                }
            }

            /// The port: the name of its field in [`Ports`](super::Ports).
            pub const fn port(self) -> &'static str {
                match self {
                    $(Self::$variant => $port,)*
                }
            }

            /// The method of the port's trait.
            pub const fn method(self) -> &'static str {
                match self {
                    $(Self::$variant => $method,)*
                }
            }
        }
    };
}

operations! {
    /// [`TicketSource::now`](super::TicketSource::now)
    Now => "tickets"."now",
    /// [`TicketSource::publish`](super::TicketSource::publish)
    PublishTicket => "tickets"."publish",
    /// [`TicketSource::current`](super::TicketSource::current)
    CurrentTicket => "tickets"."current",
    /// [`TicketSource::redeem`](super::TicketSource::redeem)
    Redeem => "tickets"."redeem",
    /// [`EventBus::partitions`](super::EventBus::partitions)
    Partitions => "bus"."partitions",
    /// [`EventBus::publish`](super::EventBus::publish)
    Publish => "bus"."publish",
    /// [`EventBus::subscribe`](super::EventBus::subscribe)
    Subscribe => "bus"."subscribe",
    /// [`EventBus::lag`](super::EventBus::lag)
    Lag => "bus"."lag",
    /// [`Subscription::next`](super::Subscription::next)
    Next => "bus"."next",
    /// [`Subscription::seek`](super::Subscription::seek)
    Seek => "bus"."seek",
    /// [`Subscription::commit`](super::Subscription::commit)
    Commit => "bus"."commit",
    /// [`Subscription::close`](super::Subscription::close)
    Close => "bus"."close",
    /// [`VoteCounter::record`](super::VoteCounter::record)
    Record => "counter"."record",
    /// [`VoteCounter::reconcile`](super::VoteCounter::reconcile)
    Reconcile => "counter"."reconcile",
    /// [`VoteCounter::read`](super::VoteCounter::read)
    Read => "counter"."read",
    /// [`VoteCounter::applied_totals`](super::VoteCounter::applied_totals)
    AppliedTotals => "counter"."applied_totals",
    /// [`VoteStore::progress`](super::VoteStore::progress)
    Progress => "store"."progress",
    /// [`VoteStore::apply`](super::VoteStore::apply)
    Apply => "store"."apply",
    /// [`VoteStore::dry_run`](super::VoteStore::dry_run)
    DryRun => "store"."dry_run",
    /// [`VoteStore::tallies`](super::VoteStore::tallies)
    Tallies => "store"."tallies",
    /// [`VoteStore::leaders`](super::VoteStore::leaders)
    Leaders => "store"."leaders",
    /// [`VoteStore::ballot`](super::VoteStore::ballot)
    Ballot => "store"."ballot",
    /// [`VoteStore::recount`](super::VoteStore::recount)
    Recount => "store"."recount",
    /// [`VoteStore::stored_ballots`](super::VoteStore::stored_ballots)
    StoredBallots => "store"."stored_ballots",
}

/// Its [name](Operation::name).
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_operation_has_a_name_and_a_place_of_its_own() {
        let names: BTreeSet<_> = Operation::ALL.iter().map(|one| one.name()).collect();
        assert_eq!(names.len(), Operation::ALL.len());
        for (at, operation) in Operation::ALL.iter().enumerate() {
            assert_eq!(*operation as usize, at, "{operation}");
            let parts = format!("{}.{}", operation.port(), operation.method());
            assert_eq!(operation.name(), parts);
        }
    }
}
