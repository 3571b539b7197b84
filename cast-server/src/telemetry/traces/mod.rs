//! Traces: the path of a request, and of its ballot after the answer.
//!
//! A caller names the trace of a request with W3C's `traceparent`. The span `request` is then a
//! child of the caller's, and the span `vote` inside is what the ballot carries: through the intake and the
//! log's record, to the consumer that folds it. A flush and a step of the fold hold many ballots. Each
//! is one span, `publish` or `fold`: a child of the first ballot's vote that is traced, with links to the
//! others, of which there are 31 at most.
//!
//! A span is created only in a trace that is recorded. Other requests cost a look at a header and at one
//! byte of each ballot, and nothing at all in a program without the feature `otlp`.
//!
//! | file | does |
//! |---|---|
//! | `spans` | the spans, and when they are created |
//! | `traceparent` | reads the caller's header |
//! | `collector` | exports them |
//! | `none` | all of it, in a program without the feature |

#[cfg(feature = "otlp")]
mod collector;
#[cfg(not(feature = "otlp"))]
mod none;
#[cfg(feature = "otlp")]
mod spans;
#[cfg(feature = "otlp")]
mod traceparent;

pub(crate) use self::imp::{finish, fold, publish, request, start, vote, within};
#[cfg(not(feature = "otlp"))]
use self::none as imp;
#[cfg(feature = "otlp")]
use self::spans as imp;

/// How many ballots one span is about at most, as far as a trace shows.
#[cfg(feature = "otlp")]
const MAX_BALLOTS: usize = 32;
