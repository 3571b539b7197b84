//! Requests and connections.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::{catalog, registry::Registry};
use crate::protocol::{ConnectionEvent, Route};

/// The classes of a status.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests and connections over HTTP.
pub(crate) struct HttpMetrics {
    requests: [[Counter; CLASSES.len()]; Route::ALL.len()],
    /// Of all routes but `None`, which is the last.
    seconds: Vec<Histogram>,
    open: Gauge,
    accepted: Counter,
    turned_away: Counter,
}

impl HttpMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let requests = |route: Route| {
            CLASSES.map(|class| registry.counter(&catalog::HTTP_REQUESTS, &[route.as_str(), class]))
        };
        let paths = Route::ALL.iter().filter(|it| **it != Route::None);
        let seconds =
            |route: &Route| registry.histogram(&catalog::HTTP_REQUEST_SECONDS, &[route.as_str()]);
        let taken = |result| registry.counter(&catalog::HTTP_CONNECTIONS_TAKEN, &[result]);
        Self {
            requests: Route::ALL.map(requests),
            seconds: paths.map(seconds).collect(),
            open: registry.gauge(&catalog::HTTP_CONNECTIONS, &[]),
            accepted: taken("accepted"),
            turned_away: taken("turned_away"),
        }
    }

    /// Counts a request that was answered with this status.
    pub(crate) fn answered(&self, route: Route, status: u16, took: Duration) {
        self.count(route, status);
        self.seconds[route as usize].record(took);
    }

    /// Counts connections.
    pub(crate) fn connection(&self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Opened => {
                self.accepted.increment(1);
                self.open.increment(1.0);
            }
            ConnectionEvent::Closed => self.open.decrement(1.0),
            ConnectionEvent::Refused => self.turned_away.increment(1),
            ConnectionEvent::Rejected(status) => self.count(Route::None, status.as_u16()),
        }
    }

    fn count(&self, route: Route, status: u16) {
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        self.requests[route as usize][class].increment(1);
    }
}
