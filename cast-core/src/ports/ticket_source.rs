//! Where tickets are kept and used.

use async_trait::async_trait;

use super::error::PortError;
use crate::domain::{Claim, CurrentTicket, GenuineTicket, PeriodTicket, Redemption, Timestamp};

/// Keeps the tickets of the periods and counts their uses.
///
/// It has the one clock that decides what is valid and what is expired, and the one place where a
/// use is taken: however many doors redeem a ticket at once, it never buys more than its limit.
///
/// # Publish
///
/// - The first ticket of a period wins: publishing another one returns the first.
/// - Publishing the same ticket again changes nothing, and gives back no uses.
/// - A ticket may be published before its period, and is neither shown nor redeemed until then.
/// - A ticket whose end has passed is not kept, and returned as it is if its period has none.
/// - A generator publishes only what it has just made: a source that lost everything could not know
///   that an old ticket was used.
///
/// # Current
///
/// - The current ticket is the one whose period has begun last, while it is valid.
/// - There is none before the first and after the last period.
/// - The uses left are the limit less the uses granted.
///
/// A ticket that began earlier and still votes is never current: where the one that began last has
/// ended before it, or was lost, there is none until the next. Periods of one length do not end out of
/// order; only a changed setting makes them.
///
/// # Redeem
///
/// - Uses are granted in the order of the claims, as many as are left; the others are exhausted.
/// - However many redeem at once, the grants of a ticket add up to its limit and no more.
/// - A repeated id costs nothing, in the same call, in a later one, and with a newer ticket, for as
///   long as the source remembers ids: longer than any client retries.
/// - A repeated id is repeated even when the ticket has no use left.
/// - A repeated id with other contents is refused as altered, and costs nothing.
/// - A ticket that was never published is unknown.
/// - A ticket whose period has not begun is unknown.
/// - A ticket is expired from the moment of its end on, for repeated ids too.
/// - A ticket whose end is long past may be unknown instead of expired; it is never granted.
/// - What was refused is not remembered: the same id may be granted with another ticket.
/// - No claims, no answers, no effect.
///
/// # Loss
///
/// - A source that lost the meter of a ticket refuses it as unknown: it never starts to count again.
///   Publishing a new ticket for the running period after such a loss is right, and voters can
///   then go on.
///
/// A lost meter says nothing of the ids: a repeated id under a lost ticket is refused as unknown like
/// any other, and repeated again under a ticket that is there, if the source still remembers it.
#[async_trait]
pub trait TicketSource: Send + Sync {
    /// The time by the clock that decides about tickets.
    async fn now(&self) -> Result<Timestamp, PortError>;

    /// Makes `ticket` that of its period, unless the period has one; returns the one it has.
    async fn publish(&self, ticket: &PeriodTicket) -> Result<PeriodTicket, PortError>;

    /// The ticket that is good now.
    async fn current(&self) -> Result<Option<CurrentTicket>, PortError>;

    /// Takes a use of `ticket` for each claim, in one atomic step. One answer for each claim, in
    /// their order.
    ///
    /// After an [`OutcomeUnknown`](super::PortErrorKind::OutcomeUnknown) uses may have been taken
    /// for nothing; the claims may be sent again and are then repeated.
    async fn redeem(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, PortError>;
}
