//! `leaderboard`: who has the most votes.

use async_graphql::{Context, Object, Result};

use super::{Backend, error, tally::Tally};

/// How many places whoever does not say gets.
const DEFAULT_PLACES: i64 = 10;
/// The most places of one request.
const MAX_PLACES: i64 = 100;

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
        if !(1..=MAX_PLACES).contains(&first) {
            let message = format!("first must be from 1 to {MAX_PLACES}, and is {first}");
            return Err(error::of_input(message));
        }
        let first = usize::try_from(first).unwrap_or_default();
        let tallies = Backend::of(ctx)
            .cast
            .leaderboard(first)
            .await
            .map_err(error::of_fault)?;
        Ok(tallies.into_iter().map(Tally::from).collect())
    }
}
