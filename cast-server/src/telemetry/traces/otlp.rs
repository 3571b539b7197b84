//! Traces by OTLP.

use std::time::Duration;

use cast_core::domain::TraceContext;
use http::HeaderMap;
use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{SpanContext, TraceContextExt as _, TraceState, TracerProvider as _},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use super::MAX_LINKS;
use crate::config::ConfigError;

/// How long the end of a process waits for its last spans to be taken.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Where traces go, and which.
#[derive(Clone, Debug)]
pub struct Collector {
    /// The whole URL, as `http://127.0.0.1:4318/v1/traces`.
    pub url: String,
    /// The share, of 0 to 1, of the requests without a trace of their own that are traced. Those with one
    /// are traced when their caller says so.
    pub ratio: f64,
}

/// Sends spans until it is dropped, which sends the last.
pub struct Traces(SdkTracerProvider);

impl Collector {
    /// Begins to send. The layer takes in the spans of this program, and of no library.
    pub fn open<S>(&self) -> Result<(Traces, impl Layer<S> + Send + Sync), ConfigError>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(&self.url)
            .build()
            .map_err(|error| ConfigError(format!("traces-url: {error}")))?;
        let resource = Resource::builder().with_service_name("cast-server");
        let by_ratio = Box::new(Sampler::TraceIdRatioBased(self.ratio));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(by_ratio))
            .with_max_links_per_span(u32::try_from(MAX_LINKS).unwrap_or(u32::MAX))
            .with_resource(resource.build())
            .build();
        let ours = Targets::new().with_target("cast_server", Level::DEBUG);
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("cast-server"))
            .with_filter(ours);
        Ok((Traces(provider), layer))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_SPANS) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

pub(super) fn begin(span: &Span, headers: &HeaderMap) {
    if headers.contains_key("traceparent") {
        let propagator = TraceContextPropagator::new();
        let context = propagator.extract_with_context(&Context::new(), &Headers(headers));
        // It fails where nobody listens to spans.
        let _ = span.set_parent(context);
    }
}

pub(super) fn context(span: &Span) -> Option<TraceContext> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let ours = span.span_context();
    // What is not sampled is shown to nobody: it need not be carried.
    if !ours.is_sampled() {
        return None;
    }
    let mut bytes = [0; TraceContext::LEN];
    bytes[..16].copy_from_slice(&ours.trace_id().to_bytes());
    bytes[16..24].copy_from_slice(&ours.span_id().to_bytes());
    bytes[24] = ours.trace_flags().to_u8();
    TraceContext::from_bytes(bytes)
}

pub(super) fn join(
    span: &Span,
    first: TraceContext,
    others: &mut dyn Iterator<Item = TraceContext>,
) {
    let _ = span.set_parent(Context::new().with_remote_span_context(remote(first)));
    for other in others {
        span.add_link(remote(other));
    }
}

fn remote(trace: TraceContext) -> SpanContext {
    let bytes = trace.as_bytes();
    let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
    trace_id.copy_from_slice(&bytes[..16]);
    span_id.copy_from_slice(&bytes[16..24]);
    SpanContext::new(
        TraceId::from_bytes(trace_id),
        SpanId::from_bytes(span_id),
        TraceFlags::new(bytes[24]),
        true,
        TraceState::default(),
    )
}
