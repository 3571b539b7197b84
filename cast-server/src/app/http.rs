//! An HTTP server: connections, and what their paths lead to.

use std::{io, net::SocketAddr, sync::Arc};

use async_graphql::Executor;
use cast_core::{
    Cast,
    ports::{Clock, Entropy},
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    endpoint::{
        EndpointSettings, Waiting,
        graphql::GraphqlEndpoint,
        health::Readiness,
        routes::Routes,
        scrape::Scrape,
        site::{Opened, Site},
    },
    protocol::ServerPlaces,
    schema::engine::Engine,
    telemetry::metrics::Metrics,
    transport::{
        HttpSettings,
        acceptor::CappedAcceptor,
        connection::{Limits, Shared},
        drain::Drain,
        server,
    },
};

/// Starts to answer on a bound listener: at first health checks only.
///
/// `has_graphql` says whether it will have an engine once it [opens](HttpServer::open).
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
    let routes = Arc::new(Routes {
        site: Arc::clone(&site),
        clock: Arc::clone(&clock),
        entropy,
        scrape: Scrape::default(),
        metrics: Arc::clone(&metrics),
    });
    let answer = move |request| {
        let routes = Arc::clone(&routes);
        async move { routes.call(request).await }
    };
    // No deadline here: the process has one for the whole shutdown.
    let task = tokio::spawn(server::run(acceptor, answer, Arc::clone(&drain)));
    Ok(HttpServer {
        address,
        task,
        drain,
        site,
        waiting,
        clock,
        endpoint: endpoint_settings(settings),
        metrics,
    })
}

/// A server that accepts requests. Dropping it stops it.
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
    /// From now on GraphQL is executed, and `/readyz` checks the servers behind `cast`. Without a
    /// `cast` the server is ready as long as it lives.
    pub fn open(&self, engine: Option<Engine<E>>, cast: Option<(Cast, ServerPlaces)>) {
        let endpoint = |engine| {
            let (clock, metrics) = (Arc::clone(&self.clock), Arc::clone(&self.metrics));
            GraphqlEndpoint::new(engine, clock, self.endpoint.clone(), metrics)
        };
        let readiness =
            cast.map(|(cast, places)| Readiness::new(cast, places, Arc::clone(&self.clock)));
        self.site.open(Opened {
            graphql: engine.map(endpoint),
            readiness,
        });
    }

    /// What `/readyz` says until it opens.
    pub const fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// The address that it listens at.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it fails.
    pub async fn failed(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Accepts no more connections, and waits until every request that had begun is answered. A
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

const fn endpoint_settings(settings: &HttpSettings) -> EndpointSettings {
    EndpointSettings {
        body_deadline: settings.body_deadline,
        request_deadline: settings.request_deadline,
        max_body_size: settings.max_body_size,
    }
}
