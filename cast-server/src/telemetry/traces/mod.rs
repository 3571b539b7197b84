//! Traces: what became of a request, and of its ballot after the answer.
//!
//! A caller says with W3C's `traceparent` in which trace a request belongs. Its span `request` is then a
//! child of the caller's, and the span `vote` inside is what the ballot carries: through the intake and the
//! log's record, over to whoever folds it. A flush and a step of the fold are about many ballots. Each
//! is one span, `publish` or `fold`: a child of the first ballot's vote that is traced, with links to the
//! others, of which there are at most [`MAX_LINKS`].
//!
//! Without the feature `otlp` nothing of this is there, and nothing of it costs anything.

#[cfg_attr(feature = "otlp", path = "otlp.rs")]
#[cfg_attr(not(feature = "otlp"), path = "none.rs")]
mod imp;

use cast_core::domain::{Ballot, LoggedBallot};
use http::HeaderMap;
use tracing::Span;

#[cfg(feature = "otlp")]
pub use self::imp::{Collector, Traces};

/// How many ballots one span is about at most, as far as a trace shows.
const MAX_LINKS: usize = 32;

/// Puts a span that has just been made into the trace that a request names, if it names one.
pub(crate) fn begin(span: &Span, headers: &HeaderMap) {
    imp::begin(span, headers);
}

/// Makes a ballot carry the context of a span, if that is traced.
pub(crate) fn carried(ballot: Ballot, span: &Span) -> Ballot {
    match imp::context(span) {
        Some(trace) => ballot.traced(trace),
        None => ballot,
    }
}

/// The span of what is done for many ballots, made by `span` if one of them is traced.
pub(crate) fn of_ballots<'a>(
    ballots: impl Iterator<Item = &'a LoggedBallot>,
    span: impl FnOnce() -> Span,
) -> Span {
    let mut traces = ballots.filter_map(|ballot| ballot.trace).take(MAX_LINKS);
    let Some(first) = traces.next() else {
        return Span::none();
    };
    let span = span();
    imp::join(&span, first, &mut traces);
    span
}
