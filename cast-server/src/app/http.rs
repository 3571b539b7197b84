//! An HTTP server: its connections, and what answers their requests.

use std::{io, net::SocketAddr, sync::Arc};

use async_graphql::Executor;
use bytes::Bytes;
use cast_core::{
    Cast,
    domain::{Clock, Entropy},
};
use http::{Request, Response, StatusCode, uri::Scheme};
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use poem::web::{LocalAddr, RemoteAddr};
use tokio::net::TcpListener;

use crate::{
    endpoint::{EndpointSettings, HttpService, Waiting},
    protocol::ServerPlaces,
    schema::engine::Engine,
    telemetry::metrics::Metrics,
    transport::{self, ConnectionEvents, Handler, HttpSettings},
};

/// Serves a bound listener: at first only that the process lives, and what it waits for.
///
/// `has_graphql` says whether there will be an engine once it [opens](HttpServer::open).
pub fn serve<E: Executor>(
    listener: TcpListener,
    has_graphql: bool,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: &HttpSettings,
    metrics: Arc<Metrics>,
) -> io::Result<HttpServer<E>> {
    let endpoint = EndpointSettings {
        body_deadline: settings.body_deadline,
        request_deadline: settings.request_deadline,
        max_body_size: settings.max_body_size,
    };
    let events = Arc::clone(&metrics);
    let (shared_clock, shared_entropy) = (Arc::clone(&clock), Arc::clone(&entropy));
    let service = HttpService::new(has_graphql, endpoint, shared_clock, shared_entropy, metrics);
    let served = Arc::new(Served {
        service,
        local: listener.local_addr()?,
    });
    let handler = Arc::clone(&served);
    let server = transport::serve(listener, settings.clone(), clock, entropy, events, handler)?;
    Ok(HttpServer { served, server })
}

/// A server that accepts requests. Dropping it starts its drain.
pub struct HttpServer<E> {
    served: Arc<Served<E>>,
    server: transport::Server,
}

impl<E: Executor> HttpServer<E> {
    /// From now on GraphQL is executed, and `/readyz` checks the servers behind `cast`. Without a `cast`
    /// the server is ready as long as it lives.
    pub fn open(&self, engine: Option<Engine<E>>, cast: Option<(Cast, ServerPlaces)>) {
        self.served.service.open(engine, cast);
    }

    /// What `/readyz` reports until it opens.
    pub fn waiting(&self) -> &Waiting {
        self.served.service.waiting()
    }

    /// The address that it listens at.
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Waits until it fails.
    pub async fn failed(&mut self) {
        self.server.failed().await;
    }

    /// Accepts no more connections, and waits until every request that had begun is answered. A client
    /// that keeps it waiting is cut off; see [`HttpSettings::drain_timeout`].
    pub async fn drain(self) {
        self.server.drain().await;
    }
}

/// What the connections of a server lead to.
struct Served<E> {
    service: HttpService<E>,
    local: SocketAddr,
}

impl<E: Executor> Handler for Served<E> {
    type Body = BoxBody<Bytes, io::Error>;

    async fn handle(&self, request: Request<Incoming>, remote: SocketAddr) -> Response<Self::Body> {
        let (local, remote) = (LocalAddr(self.local.into()), RemoteAddr(remote.into()));
        let request = poem::Request::from((request, local, remote, Scheme::HTTP));
        self.service.answer(request).await
    }
}

impl ConnectionEvents for Metrics {
    fn opened(&self) {
        self.http.connection_opened();
    }

    fn closed(&self) {
        self.http.connection_closed();
    }

    fn refused(&self) {
        self.http.connection_refused();
    }

    fn rejected(&self, status: StatusCode) {
        self.http.connection_rejected(status.as_u16());
    }
}
