//! The GraphQL schema, and the engine that executes it.
//!
//! One file for each operation, named as its field. The wire has names of its own, kept from the
//! first CAST: its `username` is the domain's candidate, its `votes` a tally.

mod backend;
mod ballot;
mod cas;
mod document;
pub(crate) mod engine;
pub(crate) mod error;
mod guard;
#[cfg(test)]
mod laws;
mod leaderboard;
mod limits;
mod long;
mod query;
mod tallies;
mod tally;
mod variables;
mod vote;

use std::sync::Arc;

use async_graphql::{EmptySubscription, MergedObject, SDLExportOptions, Schema, ValidationMode};

use self::leaderboard::Leaders;
pub use self::{backend::Backend, engine::Engine, limits::DocumentLimits, vote::VoteMutation};

/// What can be asked.
#[derive(Default, MergedObject)]
pub struct Query(
    query::QueryQuery,
    cas::CasQuery,
    tally::TallyQuery,
    tallies::TalliesQuery,
    leaderboard::LeaderboardQuery,
    ballot::BallotQuery,
);

/// The schema of CAST.
pub type CastSchema = Schema<Query, VoteMutation, EmptySubscription>;

/// The engine that executes the schema of CAST.
pub fn engine(backend: &Backend, limits: DocumentLimits) -> Engine<CastSchema> {
    let (strict, fast) = schemas(backend, &limits);
    Engine::new(strict, fast, limits)
}

/// The schema, once with validation and once without.
fn schemas(backend: &Backend, limits: &DocumentLimits) -> (CastSchema, CastSchema) {
    let leaders = Arc::new(Leaders::default());
    let schema = |mode| {
        Schema::build(Query::default(), VoteMutation, EmptySubscription)
            .data(backend.clone())
            .data(Arc::clone(&leaders))
            .validation_mode(mode)
            // Here too, though a document's size was checked before: see `document`.
            .limit_depth(limits.max_depth)
            .limit_directives(limits.max_directives)
            .finish()
    };
    (schema(ValidationMode::Strict), schema(ValidationMode::Fast))
}

/// The schema in its own language, sorted.
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .use_space_ident();
    let schema = Schema::new(Query::default(), VoteMutation, EmptySubscription);
    let mut sdl = schema.sdl_with_options(options);
    sdl.truncate(sdl.trim_end().len());
    sdl.push('\n');
    sdl
}
