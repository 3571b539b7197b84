//! `cas`: the ticket that is good now.

use async_graphql::{Context, Object, Result, SimpleObject};
use cast_core::domain::CurrentTicket;

use super::{Backend, error, query::as_int};

#[derive(Default)]
pub(super) struct CasQuery;

#[Object]
impl CasQuery {
    /// The ticket that is good now. A new one comes every period; without one, an error with the
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
// Its fields are there: to take them one after the other is cheaper than to wait for all of them.
#[graphql(serial)]
pub(super) struct TicketInfo {
    /// 64 hex digits, to be given to `vote`.
    ticket: String,
    /// From then on it no longer votes: RFC 3339, in UTC.
    valid_until: String,
    /// How many more ballots it buys.
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
