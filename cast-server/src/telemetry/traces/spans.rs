//! The spans: their attributes, and when they are created.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use cast_core::{
    Fault,
    domain::{Ballot, Clock, FoldStep, LoggedBallot, Outcome, Record, TraceContext},
};
use http::HeaderMap;
use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{
        Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, TraceState,
        Tracer as _, TracerProvider as _,
    },
};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use super::{MAX_BALLOTS, collector, traceparent};
use crate::{
    protocol::{HttpUrl, RequestId, Route, VoteCode},
    telemetry::metrics::CallOutcome,
};

/// How long the end of a process waits at most for its last spans to be taken.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Set once, if traces are sent.
static TRACING: OnceLock<Tracing> = OnceLock::new();

tokio::task_local! {
    /// The span of the request that is being answered, if that is traced.
    static REQUEST: TraceContext;
}

struct Tracing {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// Whether requests are traced by chance, without a caller that asks for it.
    by_chance: bool,
}

/// Begins to send traces by OTLP over HTTP, until the process ends; `ratio` is the share, of 0 to 1, of the
/// GraphQL requests without a trace of their own that are traced. Those with one are traced when their
/// caller asks for it. To be called once, outside of any runtime.
pub(crate) fn start(collector: &HttpUrl, ratio: f64, clock: Arc<dyn Clock>) -> Result<(), String> {
    let provider = collector::provider(collector, ratio, clock)?;
    let tracing = Tracing {
        tracer: provider.tracer("cast-server"),
        provider,
        by_chance: ratio > 0.0,
    };
    assert!(TRACING.set(tracing).is_ok(), "a process starts once");
    Ok(())
}

/// Sends what is left, if that takes no longer than `within`. Blocks for as long.
pub(crate) fn finish(within: Duration) {
    let Some(on) = TRACING.get() else {
        return;
    };
    let finished = on.provider.shutdown_with_timeout(within.min(LAST_SPANS));
    if let Err(error) = finished {
        tracing::warn!(%error, "the last traces were not sent");
    }
}

/// The span of a request, if its caller traces it, or by chance if it has no trace.
pub(crate) fn request(headers: &HeaderMap, route: Route, id: &RequestId) -> Span {
    let Some(on) = TRACING.get() else {
        return Span(None);
    };
    let caller = traceparent::of(headers);
    let may_be_traced = match &caller {
        Some(caller) => traceparent::is_sampled(caller),
        None => on.by_chance && route == Route::Graphql,
    };
    if !may_be_traced {
        return Span(None);
    }
    let attributes = vec![
        KeyValue::new("http.route", route.as_str()),
        KeyValue::new("request_id", id.as_str().to_owned()),
    ];
    let parent = caller.map(|caller| context(&caller, true));
    on.span("request", SpanKind::Server, parent, attributes, Vec::new())
}

/// Does the work of a request: a vote that it holds is part of the request's trace.
pub(crate) async fn within<F: Future>(request: &Span, work: F) -> F::Output {
    match request.context() {
        Some(request) => REQUEST.scope(request, work).await,
        None => work.await,
    }
}

/// The span of a vote, if its request is traced.
pub(crate) fn vote() -> Span {
    let Some(on) = TRACING.get() else {
        return Span(None);
    };
    let Ok(parent) = REQUEST.try_with(|request| context(request, false)) else {
        return Span(None);
    };
    let kind = SpanKind::Internal;
    on.span("vote", kind, Some(parent), Vec::new(), Vec::new())
        .or_else("code", VoteCode::Unanswered.as_str())
}

/// The span of a flush on its way into the log, if one of its ballots is traced.
pub(crate) fn publish(records: &[Record]) -> Span {
    let ballots = records.iter().flat_map(|record| record.ballots().iter());
    of_ballots("publish", SpanKind::Producer, ballots, || {
        let ballots: usize = records.iter().map(|record| record.ballots().len()).sum();
        vec![number("ballots", ballots)]
    })
}

/// The span of a step that the store applies, if one of its ballots is traced.
pub(crate) fn fold(step: &FoldStep) -> Span {
    let ballots = step.ballots.iter().map(|placed| &placed.ballot);
    of_ballots("fold", SpanKind::Consumer, ballots, || {
        vec![
            number("ballots", step.ballots.len()),
            number("partition", step.partition.get()),
            number("start", step.start.get()),
            number("next", step.next.get()),
        ]
    })
}

/// A child of the first ballot's vote that is traced, for whether a span is kept is asked of its parent;
/// with links to the others.
fn of_ballots<'a>(
    name: &'static str,
    kind: SpanKind,
    ballots: impl Iterator<Item = &'a LoggedBallot>,
    attributes: impl FnOnce() -> Vec<KeyValue>,
) -> Span {
    let Some(on) = TRACING.get() else {
        return Span(None);
    };
    // The consumer has these spans from the log: other processes created them.
    let is_remote = kind == SpanKind::Consumer;
    let mut votes = ballots
        .filter_map(|ballot| ballot.trace)
        .filter(traceparent::is_sampled)
        .map(|vote| context(&vote, is_remote))
        .take(MAX_BALLOTS);
    let Some(parent) = votes.next() else {
        return Span(None);
    };
    let links = votes.map(Link::with_context).collect();
    on.span(name, kind, Some(parent), attributes(), links)
        .or_else("result", CallOutcome::Dropped.as_str())
}

impl Tracing {
    fn span(
        &self,
        name: &'static str,
        kind: SpanKind,
        parent: Option<SpanContext>,
        attributes: Vec<KeyValue>,
        links: Vec<Link>,
    ) -> Span {
        let parent = parent.map_or_else(Context::new, |parent| {
            Context::new().with_remote_span_context(parent)
        });
        let span = self.tracer.span_builder(name).with_kind(kind);
        let span = span.with_attributes(attributes).with_links(links);
        let span = self.tracer.build_with_context(span, &parent);
        let active = ActiveSpan {
            span,
            if_dropped: None,
        };
        Span(active.span.is_recording().then(|| Box::new(active)))
    }
}

/// A span of a trace; or none, where the request is not traced.
pub(crate) struct Span(Option<Box<ActiveSpan>>);

/// Ends when it is dropped.
struct ActiveSpan {
    span: opentelemetry_sdk::trace::Span,
    /// Its result if it is dropped before its end.
    if_dropped: Option<KeyValue>,
}

impl Drop for ActiveSpan {
    fn drop(&mut self) {
        if let Some(how) = self.if_dropped.take() {
            self.span.set_attribute(how);
            self.span.set_status(Status::error(""));
        }
    }
}

impl Span {
    /// Sets its result in case it is dropped before its end: at a deadline, or because the client has
    /// disconnected.
    fn or_else(mut self, key: &'static str, value: &'static str) -> Self {
        if let Some(active) = &mut self.0 {
            active.if_dropped = Some(KeyValue::new(key, value));
        }
        self
    }

    /// How others name it as their parent.
    fn context(&self) -> Option<TraceContext> {
        let ours = self.0.as_ref()?.span.span_context();
        let mut bytes = [0; TraceContext::LEN];
        bytes[..16].copy_from_slice(&ours.trace_id().to_bytes());
        bytes[16..24].copy_from_slice(&ours.span_id().to_bytes());
        bytes[24] = ours.trace_flags().to_u8();
        TraceContext::from_bytes(bytes)
    }

    /// Makes a ballot carry it, if there is one.
    pub(crate) fn carried(&self, ballot: Ballot) -> Ballot {
        match self.context() {
            Some(trace) => ballot.traced(trace),
            None => ballot,
        }
    }

    /// Ends the span of a request.
    pub(crate) fn answered(self, status: u16) {
        let code = KeyValue::new("http.response.status_code", i64::from(status));
        self.end(code, status >= 500);
    }

    /// Ends the span of a vote.
    pub(crate) fn voted(self, outcome: &Result<Outcome, Fault>) {
        let code = KeyValue::new("code", VoteCode::of(outcome).as_str());
        self.end(code, outcome.is_err());
    }

    /// Ends the span of a call.
    pub(crate) fn ended(self, how: CallOutcome) {
        self.end(
            KeyValue::new("result", how.as_str()),
            how != CallOutcome::Ok,
        );
    }

    fn end(self, how: KeyValue, has_failed: bool) {
        let Some(mut active) = self.0 else {
            return;
        };
        active.if_dropped = None;
        active.span.set_attribute(how);
        if has_failed {
            active.span.set_status(Status::error(""));
        }
    }
}

fn number(name: &'static str, value: impl TryInto<i64>) -> KeyValue {
    KeyValue::new(name, value.try_into().unwrap_or(i64::MAX))
}

fn context(trace: &TraceContext, is_remote: bool) -> SpanContext {
    let bytes = trace.as_bytes();
    let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
    trace_id.copy_from_slice(&bytes[..16]);
    span_id.copy_from_slice(&bytes[16..24]);
    SpanContext::new(
        TraceId::from_bytes(trace_id),
        SpanId::from_bytes(span_id),
        TraceFlags::new(bytes[24]),
        is_remote,
        TraceState::default(),
    )
}
