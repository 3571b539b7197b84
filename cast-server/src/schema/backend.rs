//! What the resolvers use.

use std::sync::Arc;

use async_graphql::Context;
use cast_core::Cast;

use crate::telemetry::metrics::Metrics;

/// What the resolvers use.
#[derive(Clone)]
pub struct Backend {
    /// Accepts votes and shows tallies.
    pub cast: Cast,
    /// The most votes of one selection, for a number that does not even fit a ballot.
    pub max_votes: u32,
    /// Counts the outcomes of votes.
    pub metrics: Arc<Metrics>,
}

impl Backend {
    pub(super) fn of<'a>(ctx: &Context<'a>) -> &'a Self {
        ctx.data_unchecked()
    }
}
