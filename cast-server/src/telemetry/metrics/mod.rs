//! What `/metrics` shows: docs/METRICS.md explains each metric.
//!
//! Series are registered once, and kept as handles: to count is to add to a number, without a lock, a
//! lookup or an allocation. What happens for each ballot is one such addition; the rest is done once a
//! flush, once a call of a port, or once a request.

mod calls;
pub(super) mod catalog;
mod fold;
mod http;
mod registry;
mod votes;

use std::{sync::Arc, time::Duration};

use cast_core::{
    Cast,
    domain::{Clock, Timestamp},
};
use metrics::{Gauge, Histogram};

pub(crate) use self::{
    calls::{CallOutcome, Calls},
    fold::FoldMetrics,
    http::HttpMetrics,
    votes::{GraphqlErrors, Votes},
};
use self::{catalog::Metric, registry::Registry};

/// The metrics of one server.
pub struct Metrics {
    registry: Arc<Registry>,
    pub(crate) votes: Votes,
    pub(crate) graphql_errors: GraphqlErrors,
    pub(crate) calls: Calls,
    pub(crate) flush_ballots: Histogram,
    pub(crate) fold: FoldMetrics,
    pub(crate) http: HttpMetrics,
}

impl Metrics {
    /// All at zero.
    pub fn new(clock: &Arc<dyn Clock>) -> Arc<Self> {
        let registry = Arc::new(Registry::new());
        let version = env!("CARGO_PKG_VERSION");
        registry.gauge(&catalog::BUILD_INFO, &[version]).set(1.0);
        let started = registry.gauge(&catalog::STARTED, &[]);
        started.set(unix_seconds(clock.now()));
        Arc::new(Self {
            votes: Votes::new(&registry),
            graphql_errors: GraphqlErrors::new(&registry),
            calls: Calls::new(&registry, clock),
            flush_ballots: registry.histogram(&catalog::FLUSH_BALLOTS, &[]),
            fold: FoldMetrics::new(&registry),
            http: HttpMetrics::new(&registry),
            registry,
        })
    }

    /// All metrics, in Prometheus' text format; with the intake of `cast` once that has started.
    pub(crate) fn render(&self, cast: Option<&Cast>) -> String {
        if let Some(cast) = cast {
            let intake = cast.intake();
            let set = |metric: &Metric, count: usize| {
                self.gauge(metric, &[]).set(as_f64(count as u64));
            };
            set(&catalog::INTAKE_WAITING, intake.waiting);
            set(&catalog::INTAKE_CAPACITY, intake.capacity);
        }
        self.registry.render()
    }

    /// Sums the values of histograms, which are kept until then.
    pub(crate) fn add_up(&self) {
        self.registry.add_up();
    }

    /// A gauge that is polled for, with these values of its labels.
    pub(super) fn gauge(&self, metric: &Metric, values: &[&str]) -> Gauge {
        self.registry.gauge(metric, values)
    }
}

/// A moment as Prometheus has it.
pub(crate) fn unix_seconds(moment: Timestamp) -> f64 {
    Duration::from_millis(moment.as_unix_ms()).as_secs_f64()
}

/// As a gauge has it: exact below 2^53, which no offset reaches.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(crate) const fn as_f64(count: u64) -> f64 {
    count as f64
}
