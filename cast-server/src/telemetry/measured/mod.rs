//! The ports, each call of which is counted and timed.

mod counter;
mod log;
mod store;
mod tickets;

use std::sync::Arc;

use cast_core::{Ports, ports::PortError};

use super::metrics::{Ended, Metrics, Operation};

/// A port whose calls are measured.
struct Measured<P: ?Sized> {
    port: Arc<P>,
    metrics: Arc<Metrics>,
}

impl<P: ?Sized> Measured<P> {
    /// Waits for a call, and counts it; also if its caller does not wait to the end.
    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        measured_call(&self.metrics, operation, call).await
    }
}

async fn measured_call<T>(
    metrics: &Metrics,
    operation: Operation,
    call: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    let measured = metrics.calls.begin(operation);
    let result = call.await;
    measured.end(Ended::of(&result));
    result
}

/// The ports, measured; their clock and their entropy stay as they are.
pub fn measured(ports: &Ports, metrics: &Arc<Metrics>) -> Ports {
    fn around<P: ?Sized>(port: &Arc<P>, metrics: &Arc<Metrics>) -> Measured<P> {
        Measured {
            port: Arc::clone(port),
            metrics: Arc::clone(metrics),
        }
    }
    Ports {
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
        tickets: Arc::new(around(&ports.tickets, metrics)),
        bus: Arc::new(around(&ports.bus, metrics)),
        counter: Arc::new(around(&ports.counter, metrics)),
        store: Arc::new(around(&ports.store, metrics)),
    }
}
