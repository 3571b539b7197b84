//! No traces: what a program without the feature `otlp` has.

use std::{sync::Arc, time::Duration};

use cast_core::{
    Fault,
    domain::{Ballot, Clock, FoldStep, Outcome, Record},
};
use http::HeaderMap;

use crate::{
    protocol::{HttpUrl, RequestId, Route},
    telemetry::metrics::CallOutcome,
};

pub(crate) struct Span;

pub(crate) fn start(_: &HttpUrl, _: f64, _: Arc<dyn Clock>) -> Result<(), String> {
    Err("this program was built without traces (build it with the feature otlp)".into())
}

pub(crate) const fn finish(_: Duration) {}

pub(crate) const fn request(_: &HeaderMap, _: Route, _: &RequestId) -> Span {
    Span
}

pub(crate) const fn within<F: Future>(_: &Span, work: F) -> F {
    work
}

pub(crate) const fn vote() -> Span {
    Span
}

pub(crate) const fn publish(_: &[Record]) -> Span {
    Span
}

pub(crate) const fn fold(_: &FoldStep) -> Span {
    Span
}

#[expect(clippy::unused_self, reason = "with the feature otlp they are used")]
impl Span {
    pub(crate) fn carried(&self, ballot: Ballot) -> Ballot {
        ballot
    }

    pub(crate) const fn answered(self, _: u16) {}

    pub(crate) const fn voted(self, _: &Result<Outcome, Fault>) {}

    pub(crate) const fn ended(self, _: CallOutcome) {}
}
