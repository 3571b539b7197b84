//! The exporter: a queue, a thread of its own, and plain HTTP.
//!
//! The end of a span puts it into the queue, or drops it where that is full; no request waits.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use cast_core::domain::Clock;
use http::{Request, Response, Uri};
use http_body_util::Full;
use opentelemetry::Key;
use opentelemetry_http::HttpClient;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tokio::runtime;

use super::MAX_BALLOTS;
use crate::{client::Connection, protocol::HttpUrl};

/// Where a collector accepts traces, if its URL names no path.
const DEFAULT_PATH: &str = "/v1/traces";

/// How long a collector may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);

type Failed = Box<dyn Error + Send + Sync>;

/// Creates spans, and sends them.
pub(super) fn provider(
    collector: &HttpUrl,
    ratio: f64,
    clock: Arc<dyn Clock>,
) -> Result<SdkTracerProvider, String> {
    let client = Client::new(collector, clock).map_err(|error| error.to_string())?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(collector.to_string())
        .build()
        .map_err(|error| error.to_string())?;
    let by_chance = Box::new(Sampler::TraceIdRatioBased(ratio));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(by_chance))
        .with_max_links_per_span(u32::try_from(MAX_BALLOTS).unwrap_or(u32::MAX))
        .with_resource(resource())
        .build())
}

/// The sender, from the variables `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`; `cast-server`
/// without a name.
fn resource() -> Resource {
    let named = Resource::builder().build();
    let name = named.get(&Key::from_static_str("service.name"));
    if name.is_some_and(|name| !name.as_str().starts_with("unknown_service")) {
        return named;
    }
    Resource::builder().with_service_name("cast-server").build()
}

/// Posts to the collector on the exporter's thread, in a runtime of its own: no vote shares a worker
/// with it.
struct Client {
    url: HttpUrl,
    clock: Arc<dyn Clock>,
    runtime: runtime::Runtime,
    is_failing: AtomicBool,
}

impl Client {
    fn new(url: &HttpUrl, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            url: url.clone(),
            clock,
            runtime,
            is_failing: AtomicBool::new(false),
        })
    }

    async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failed> {
        let mut request = request.map(Full::new);
        *request.uri_mut() = Uri::try_from(self.url.path_or(DEFAULT_PATH))?;
        let mut connection = Connection::new(&self.url, &*self.clock, DEADLINE);
        Ok(connection.send(request).await?)
    }

    /// Logs when it begins to fail, and when that is over.
    fn note(&self, answer: &Result<Response<Bytes>, Failed>) {
        let failure = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status())),
            Err(error) => Some(error.to_string()),
        };
        let was_failing = self.is_failing.swap(failure.is_some(), Ordering::Relaxed);
        let url = &self.url;
        match failure {
            Some(error) if !was_failing => {
                tracing::warn!(%url, error, "the collector does not accept traces");
            }
            None if was_failing => tracing::info!(%url, "the collector accepts traces again"),
            _ => {}
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failed> {
        let answer = self.runtime.block_on(self.post(request));
        self.note(&answer);
        answer
    }
}
