//! `leaderboard`: who has the most votes.

use std::sync::Arc;

use async_graphql::{Context, Object, Result};
use cast_core::Fault;

use super::{backend::Backend, error, tally::Tally};
use crate::coalesced::Coalesced;

/// The default of `first`.
const DEFAULT_PLACES: i64 = 10;
/// The most places of one request.
const MAX_PLACES: usize = 100;

/// Who leads, asked of the store for one request at a time: it is its most costly question.
pub(super) type Leaders = Coalesced<Result<Vec<cast_core::domain::Tally>, Fault>>;

#[derive(Default)]
pub(super) struct LeaderboardQuery;

#[Object]
impl LeaderboardQuery {
    /// The candidates with the most votes: most first, then by name.
    async fn leaderboard(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many places: 1 to 100.",
            default_with = "Some(DEFAULT_PLACES)"
        )]
        first: Option<i64>,
    ) -> Result<Vec<Tally>> {
        let first = first.unwrap_or(DEFAULT_PLACES);
        let within = |first: &usize| (1..=MAX_PLACES).contains(first);
        let Some(first_places) = usize::try_from(first).ok().filter(within) else {
            let message = format!("first must be from 1 to {MAX_PLACES}, and is {first}");
            return Err(error::of_input(message));
        };
        // The most that may be asked for, so that all requests share one query.
        let all = Backend::of(ctx).cast.leaderboard(MAX_PLACES);
        let leaders = ctx.data_unchecked::<Arc<Leaders>>();
        let tallies = leaders.ask(all).await.map_err(error::of_fault)?;
        Ok(tallies
            .into_iter()
            .take(first_places)
            .map(Tally::from)
            .collect())
    }
}
