//! `cas`: the current ticket.

use async_graphql::{Context, Object, Result, SimpleObject};
use cast_core::domain::CurrentTicket;

use super::{backend::Backend, error, query::as_int};

#[derive(Default)]
pub(super) struct CasQuery;

#[Object]
impl CasQuery {
    /// The current ticket. A new one comes every period; without one, an error with the
    /// code `NO_TICKET`.
    async fn cas(&self, ctx: &Context<'_>) -> Result<TicketInfo> {
        let ticket = Backend::of(ctx)
            .cast
            .current_ticket()
            .await
            .map_err(error::of_fault)?;
        TicketInfo::of(&ticket)
    }
}

/// A ticket to vote with.
#[derive(SimpleObject)]
// Its fields are values: resolving them one after the other is cheaper than concurrently.
#[graphql(serial)]
pub(super) struct TicketInfo {
    /// 64 hex digits, to be given to `vote`.
    ticket: String,
    /// When it expires: RFC 3339, in UTC.
    valid_until: String,
    /// How many more ballots it is good for.
    remaining_usage: i32,
}

impl TicketInfo {
    fn of(current: &CurrentTicket) -> Result<Self> {
        let unix_ms = i64::try_from(current.valid_until.as_unix_ms()).unwrap_or(i64::MAX);
        let valid_until = jiff::Timestamp::from_millisecond(unix_ms)
            // Only a clock that is wrong by millennia gets here.
            .unwrap_or(jiff::Timestamp::MAX);
        Ok(Self {
            ticket: current.id.to_hex(),
            valid_until: valid_until.to_string(),
            remaining_usage: as_int(u64::from(current.uses_left))?,
        })
    }
}
