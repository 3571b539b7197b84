//! The port to the store of tickets and their uses.

use async_trait::async_trait;

use super::error::PortError;
use crate::domain::{Claim, CurrentTicket, GenuineTicket, PeriodTicket, Redemption, Timestamp};

/// Keeps the ticket of each period and counts its uses.
///
/// Its clock is the only one that decides which ticket is valid and which is expired. It is the only
/// place where uses are taken: however many vote services redeem a ticket at once, it never grants more
/// than its limit.
///
/// ```
/// use std::{sync::Arc, time::Duration};
///
/// use cast_adapters::{memory::MemoryTickets, system::{SystemClock, SystemEntropy}};
/// use cast_core::{
///     domain::{Ballot, BallotId, KeyRing, Partition, PeriodTicket, Redemption},
///     ports::TicketSource,
/// };
/// # use cast_core::domain::{Claim, ContentsDigest, Partitions};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tickets: Arc<dyn TicketSource> = Arc::new(MemoryTickets::new(Arc::new(SystemClock)));
///
/// // A generator publishes the ticket of the running period.
/// let now = tickets.now().await?;
/// let genuine = KeyRing::generate(&SystemEntropy).issue(now, &SystemEntropy);
/// let ticket = PeriodTicket {
///     ticket: *genuine.ticket(),
///     valid_until: now.plus(Duration::from_secs(60)),
///     use_limit: 1,
/// };
/// tickets.publish(&ticket).await?;
///
/// // A flush redeems it, once for each ballot. A retry takes no use.
/// # let claim = |id: &str| Claim {
/// #     ballot: id.parse().expect("a UUID"),
/// #     contents: ContentsDigest::from_bytes([0; 16]),
/// # };
/// let first = claim("0193b3a0-0000-7000-8000-000000000001");
/// let second = claim("0193b3a0-0000-7000-8000-000000000002");
/// let answers = tickets.redeem(&genuine, &[first, first, second]).await?;
/// assert_eq!(answers[..2], [Redemption::Granted, Redemption::Repeated]);
/// assert!(matches!(answers[2], Redemption::Refused(_)), "its only use is taken");
/// assert_eq!(tickets.current().await?.expect("it is valid").uses_left, 0);
/// # Ok(()) }
/// ```
///
/// # Publish
///
/// - The first ticket of a period wins: publishing another one returns the first.
/// - Publishing the same ticket again changes nothing and gives back no uses.
/// - A ticket may be published before its period; until then it is neither shown nor redeemed.
/// - A ticket that is already expired is not stored; if its period has no ticket, it is returned as it
///   is.
/// - A generator publishes only what it has just made: a source that lost everything could not know
///   that an old ticket was used.
///
/// # Current
///
/// - The current ticket is the one whose period began last, while it is valid.
/// - There is no current ticket before the first period and after the last.
/// - The uses left are the limit minus the uses granted.
///
/// A ticket that began earlier is never current, even if it is still valid: where the one that began last
/// has expired before it, or was lost, there is no current ticket until the next period. Periods of one
/// length do not end out of order; that takes a changed setting.
///
/// # Redeem
///
/// - Uses are granted in the order of the claims, as many as are left; the other claims are exhausted.
/// - Concurrent redemptions never grant more than the limit of a ticket in total.
/// - A repeated id takes no use: in the same call, in a later call, and with a newer ticket, for as long
///   as the source remembers ids, which is longer than any client retries.
/// - A repeated id is answered as repeated even if the ticket has no uses left.
/// - A repeated id with other contents is refused as altered and takes no use.
/// - A ticket that was never published is unknown.
/// - A ticket whose period has not begun is unknown.
/// - A ticket is expired from its end on, for repeated ids too.
/// - A ticket that expired long ago may be unknown instead of expired; it is never granted.
/// - A refused id is not remembered: it may be granted with another ticket.
/// - Redeeming no claims returns no answers and has no effect.
///
/// # Loss
///
/// - A source that lost the use counter of a ticket refuses the ticket as unknown and never starts to
///   count again. A new ticket may then be published for the running period, and votes are possible
///   again.
///
/// A lost use counter does not mean that the ids were lost: under a lost ticket a repeated id is refused
/// as unknown like any other, and under a ticket that is there it is repeated again, if the source still
/// remembers it.
#[async_trait]
pub trait TicketSource: Send + Sync {
    /// The time of the clock that decides about tickets.
    async fn now(&self) -> Result<Timestamp, PortError>;

    /// Makes `ticket` the ticket of its period, unless the period has one; returns the period's ticket.
    async fn publish(&self, ticket: &PeriodTicket) -> Result<PeriodTicket, PortError>;

    /// The ticket that is valid now, if there is one.
    async fn current(&self) -> Result<Option<CurrentTicket>, PortError>;

    /// Takes a use of `ticket` for each claim, in one atomic step. Returns one answer for each claim, in
    /// their order.
    ///
    /// After an [`OutcomeUnknown`](super::PortErrorKind::OutcomeUnknown) the uses may have been taken
    /// without a vote. The same claims may be sent again; they are then repeated.
    async fn redeem(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, PortError>;
}
