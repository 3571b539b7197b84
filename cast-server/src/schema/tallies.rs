//! `tallies`: the votes of several candidates.

use async_graphql::{Context, Object, Result};

use super::{
    backend::Backend,
    error,
    tally::{Tally, candidate},
};

/// The most names of one request.
const MAX_NAMES: usize = 100;

#[derive(Default)]
pub(super) struct TalliesQuery;

#[Object]
impl TalliesQuery {
    /// Votes of several candidates, in the order of their names.
    async fn tallies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The candidates' names: at most 100, each of 1 to 64 bytes.")]
        usernames: Vec<String>,
    ) -> Result<Vec<Tally>> {
        let count = usernames.len();
        if count > MAX_NAMES {
            let message =
                format!("usernames must have at most {MAX_NAMES} entries, and has {count}");
            return Err(error::of_input(message));
        }
        let candidates = usernames
            .iter()
            .enumerate()
            .map(|(at, name)| candidate(&format!("usernames[{at}]"), name))
            .collect::<Result<Vec<_>>>()?;
        let tallies = Backend::of(ctx)
            .cast
            .tallies(&candidates)
            .await
            .map_err(error::of_fault)?;
        Ok(tallies.into_iter().map(Tally::from).collect())
    }
}
