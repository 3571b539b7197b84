//! `tally`: the votes of one candidate, with their version.

use async_graphql::{Context, Object, Result, SimpleObject};
use cast_core::domain::Candidate;

use super::{backend::Backend, error, long::Long};

#[derive(Default)]
pub(super) struct TallyQuery;

#[Object]
impl TallyQuery {
    /// Votes of one candidate; 0 for a name never voted for.
    async fn tally(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The candidate's name: 1 to 64 bytes.")] username: String,
    ) -> Result<Tally> {
        Ok(of(ctx, &username).await?.into())
    }
}

/// The votes of a candidate.
pub(super) async fn of(ctx: &Context<'_>, username: &str) -> Result<cast_core::domain::Tally> {
    let candidate = candidate("username", username)?;
    let tallies = Backend::of(ctx)
        .cast
        .tallies(std::slice::from_ref(&candidate));
    let tallies = tallies.await.map_err(error::of_fault)?;
    let none = || cast_core::domain::Tally::none(candidate);
    Ok(tallies.into_iter().next().unwrap_or_else(none))
}

/// How many votes a candidate has.
#[derive(SimpleObject)]
// Its fields are values: resolving them one after the other is cheaper than concurrently.
#[graphql(serial)]
pub(super) struct Tally {
    /// The candidate's name, in Unicode's normalisation form C.
    username: String,
    /// The votes.
    votes: Long,
    /// How much of the log of votes they take in. It grows as votes are counted, and goes back only
    /// when a counter has lost its memory.
    version: Long,
}

impl From<cast_core::domain::Tally> for Tally {
    fn from(tally: cast_core::domain::Tally) -> Self {
        Self {
            username: tally.candidate.as_str().into(),
            votes: Long(tally.votes),
            version: Long(tally.version.get()),
        }
    }
}

/// The candidate that a client names in the argument `field`.
pub(super) fn candidate(field: &str, name: &str) -> Result<Candidate> {
    Candidate::new(name).map_err(|why| error::of_input(format!("{field} {why}")))
}
