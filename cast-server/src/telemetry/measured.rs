//! The ports, with each call counted, timed and, where a ballot of it is traced, in a span.

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    Ports,
    domain::{FoldStep, Record},
    ports::{
        Applied, Call, EventBus, ForwardingEventBus, ForwardingVoteStore, Interceptor, Operation,
        PortError, Published, Reply, VoteStore,
    },
};

use super::{
    metrics::{CallOutcome, Metrics, as_f64},
    traces,
};

/// The ports, measured; their clock and their entropy stay as they are.
pub fn measured(ports: &Ports, metrics: &Arc<Metrics>) -> Ports {
    let mut measured = ports.intercepted(&Arc::new(Measure(Arc::clone(metrics))));
    measured.bus = Arc::new(TracedBus(measured.bus));
    measured.store = Arc::new(TracedStore {
        store: measured.store,
        metrics: Arc::clone(metrics),
    });
    measured
}

/// Counts and times each call; also one that its caller drops.
struct Measure(Arc<Metrics>);

impl Interceptor for Measure {
    async fn around<R: Reply>(&self, call: Call<'_, R>, run: impl Future<Output = R> + Send) -> R {
        let Self(metrics) = self;
        match call.operation {
            // Its duration depends on how much is voted, and dropping it is no failure: only its
            // results are counted.
            Operation::Next => {
                let reply = run.await;
                let outcome = CallOutcome::of_error(reply.error());
                metrics.calls.count(call.operation, outcome);
                return reply;
            }
            // A flush publishes once, so its size is known here.
            Operation::Publish => metrics.flush_ballots.record(as_f64(call.items as u64)),
            _ => {}
        }
        let timed = metrics.calls.begin(call.operation);
        let reply = run.await;
        timed.end(CallOutcome::of_error(reply.error()));
        reply
    }
}

/// The log, with a span around each flush.
struct TracedBus(Arc<dyn EventBus>);

#[async_trait]
impl ForwardingEventBus for TracedBus {
    fn inner(&self) -> &dyn EventBus {
        &*self.0
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let span = traces::publish(records);
        let results = self.inner().publish(records).await;
        span.ended(CallOutcome::of_error(results.error()));
        results
    }
}

/// The store, with a span around each step of the fold, whose results are counted.
struct TracedStore {
    store: Arc<dyn VoteStore>,
    metrics: Arc<Metrics>,
}

#[async_trait]
impl ForwardingVoteStore for TracedStore {
    fn inner(&self) -> &dyn VoteStore {
        &*self.store
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        let span = traces::fold(step);
        let applied = self.inner().apply(step).await;
        span.ended(CallOutcome::of_error(applied.error()));
        if let Ok(applied) = &applied {
            self.metrics.fold.count(step, applied);
        }
        applied
    }
}
