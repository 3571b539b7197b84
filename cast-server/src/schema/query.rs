//! `query`: the votes of one candidate, as the first CAST showed them.

use async_graphql::{Context, Object, Result};

use super::tally;
use crate::protocol::ErrorCode;

#[derive(Default)]
pub(super) struct QueryQuery;

#[Object]
impl QueryQuery {
    /// Votes of one candidate; 0 for a name never voted for. Where they do not fit an Int, an error
    /// with the code `COUNT_TOO_LARGE`: `tally` has room for them.
    async fn query(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The candidate's name: 1 to 64 bytes.")] username: String,
    ) -> Result<i32> {
        as_int(tally::of(ctx, &username).await?.votes)
    }
}

/// A tally as an `Int`, if it fits: never a wrong number.
pub(super) fn as_int(votes: u64) -> Result<i32> {
    i32::try_from(votes).map_err(|_| {
        let message = "The count does not fit an Int: ask for `tally` or `tallies`";
        ErrorCode::CountTooLarge.field_error(message)
    })
}
