//! HTTP: connections, paths, and the GraphQL endpoint.
//!
//! | file | does |
//! |---|---|
//! | `acceptor` | takes connections in, up to a cap |
//! | `server` | serves them over the HTTP library |
//! | `connection`, `drain` | a deadline on all that a client may keep us waiting for |
//! | `inbound`, `head`, `body_scan` | where requests begin and end in what a client sends |
//! | `canned` | answers to connections that never made a request |
//! | `routes` | which path leads where; a request id on every answer |
//! | `site` | what the paths lead to, as far as it is there yet |
//! | `health` | `/livez`, `/readyz`, `/healthz` |
//! | `scrape` | `/metrics` |
//! | `graphql` | GraphQL over HTTP |
//!
//! Only HTTP/1.1 is spoken: whatever terminates TLS in front of CAST speaks HTTP/2 to the world.

mod acceptor;
mod body_scan;
mod canned;
mod connection;
mod drain;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod graphql;
mod head;
mod health;
mod inbound;
mod request_id;
mod routes;
mod scrape;
mod server;
mod site;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_graphql::Executor;
use cast_core::{
    Cast,
    ports::{Clock, Entropy},
};
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::graphql::EndpointSettings;
pub use self::site::Waiting;
use self::{
    acceptor::CappedAcceptor,
    connection::{Limits, Shared},
    drain::Drain,
    graphql::GraphqlEndpoint,
    health::Readiness,
    routes::Routes,
    scrape::Scrape,
    site::{Opened, Site},
};
pub(crate) use self::{request_id::RequestId, routes::Route};
use crate::{graphql::engine::Engine, telemetry::metrics::Metrics};

/// What connections are bound to.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// How many connections there may be; one more is turned away with a 503.
    pub max_connections: usize,
    /// How long a connection may be silent between requests.
    pub idle_timeout: Duration,
    /// How long a request's head may take from its first byte to its last.
    pub header_deadline: Duration,
    /// How long a request's body may take.
    pub body_deadline: Duration,
    /// How long the answer to a request may take.
    pub request_deadline: Duration,
    /// How long whoever drains the server lets that take; a quarter of it is left to clients that
    /// neither send nor read.
    pub drain_timeout: Duration,
    /// The most bytes of a request's head.
    pub max_head_size: usize,
    /// The most bytes of a request's body.
    pub max_body_size: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            max_connections: 4_096,
            idle_timeout: Duration::from_secs(60),
            header_deadline: Duration::from_secs(1),
            body_deadline: Duration::from_secs(1),
            request_deadline: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(10),
            max_head_size: 16 * 1_024,
            max_body_size: 16 * 1_024,
        }
    }
}

impl HttpSettings {
    fn endpoint(&self) -> EndpointSettings {
        EndpointSettings {
            body_deadline: self.body_deadline,
            request_deadline: self.request_deadline,
            max_body_size: self.max_body_size,
        }
    }
}

/// Starts to answer on a bound listener: at first that the process lives, and waits.
///
/// `has_graphql` says whether an engine will be there once it [opens](HttpServer::open).
pub fn serve<E: Executor>(
    listener: TcpListener,
    has_graphql: bool,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: &HttpSettings,
    metrics: Arc<Metrics>,
) -> io::Result<HttpServer<E>> {
    let drain = Arc::new(Drain::new(Arc::clone(&clock), settings.drain_timeout));
    let shared = Arc::new(Shared {
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        limits: Limits::new(settings),
        drain: Arc::clone(&drain),
        metrics: Arc::clone(&metrics),
    });
    let acceptor = CappedAcceptor::new(listener, shared, settings.max_connections)?;
    let address = acceptor.address();
    let waiting = Waiting::default();
    waiting.set("starting");
    let site = Arc::new(Site::new(has_graphql, waiting.clone()));
    let routes = Routes {
        site: Arc::clone(&site),
        clock: Arc::clone(&clock),
        entropy,
        scrape: Scrape::default(),
        metrics: Arc::clone(&metrics),
    };
    // No deadline here: whoever drains has one for the whole of it.
    let task = tokio::spawn(server::run(acceptor, routes, Arc::clone(&drain)));
    Ok(HttpServer {
        address,
        task,
        drain,
        site,
        waiting,
        clock,
        endpoint: settings.endpoint(),
        metrics,
    })
}

/// A server that takes requests. Dropping it stops it.
pub struct HttpServer<E> {
    address: SocketAddr,
    task: JoinHandle<()>,
    drain: Arc<Drain>,
    site: Arc<Site<E>>,
    waiting: Waiting,
    clock: Arc<dyn Clock>,
    endpoint: EndpointSettings,
    metrics: Arc<Metrics>,
}

impl<E: Executor> HttpServer<E> {
    /// Opens the door: from now on GraphQL is executed, and `/readyz` asks the CAST. With no `cast`
    /// the server is ready as long as it lives.
    pub fn open(&self, engine: Option<Engine<E>>, cast: Option<Cast>) {
        let endpoint = |engine| {
            let (clock, metrics) = (Arc::clone(&self.clock), Arc::clone(&self.metrics));
            GraphqlEndpoint::new(engine, clock, self.endpoint.clone(), metrics)
        };
        let readiness = cast.map(|cast| Readiness::new(cast, Arc::clone(&self.clock)));
        self.site.open(Opened {
            graphql: engine.map(endpoint),
            readiness,
        });
    }

    /// What it says it waits for, until it opens.
    pub const fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it ends, which it does not by itself.
    pub async fn failed(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Takes no connection any more, and waits until every request that had begun is answered. A
    /// client that keeps it waiting is cut off; see [`HttpSettings::drain_timeout`].
    pub async fn drain(mut self) {
        self.drain.begin();
        // One that has failed was waited for already, and must not be again.
        if !self.task.is_finished() {
            self.failed().await;
        }
    }
}

impl<E> Drop for HttpServer<E> {
    fn drop(&mut self) {
        self.drain.begin();
    }
}
