//! An HTTP server: its connections, and what answers their requests.

use std::{io, net::SocketAddr, sync::Arc};

use async_graphql::Executor;
use cast_core::domain::{Clock, Entropy};
use http::{Request, Response, uri::Scheme};
use hyper::body::Incoming;
use poem::web::{LocalAddr, RemoteAddr};
use tokio::net::TcpListener;

use crate::{
    endpoint::{EndpointSettings, HttpService},
    telemetry::metrics::Metrics,
    transport::{self, Body, Handler, HttpSettings, Server},
};

/// Serves a bound listener: at first only that the process lives, and what it waits for.
///
/// `has_graphql` says whether there will be an engine once it [opens](HttpService::open).
pub fn serve<E: Executor>(
    listener: TcpListener,
    has_graphql: bool,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: &HttpSettings,
    metrics: Arc<Metrics>,
) -> io::Result<(Arc<HttpService<E>>, Server)> {
    let endpoint = EndpointSettings {
        body_deadline: settings.body_deadline,
        request_deadline: settings.request_deadline,
        max_body_size: settings.max_body_size,
    };
    let shared = Arc::clone(&metrics);
    let events = Box::new(move |event| shared.http.connection(event));
    let (shared_clock, shared_entropy) = (Arc::clone(&clock), Arc::clone(&entropy));
    let service = HttpService::new(has_graphql, endpoint, shared_clock, shared_entropy, metrics);
    let service = Arc::new(service);
    let handler = Served {
        service: Arc::clone(&service),
        local: listener.local_addr()?,
    };
    let handler = Arc::new(handler);
    let server = transport::serve(listener, settings.clone(), clock, entropy, events, handler)?;
    Ok((service, server))
}

/// What the connections of a server lead to.
struct Served<E> {
    service: Arc<HttpService<E>>,
    local: SocketAddr,
}

impl<E: Executor> Handler for Served<E> {
    async fn handle(&self, request: Request<Incoming>, remote: SocketAddr) -> Response<Body> {
        let (local, remote) = (LocalAddr(self.local.into()), RemoteAddr(remote.into()));
        let request = poem::Request::from((request, local, remote, Scheme::HTTP));
        self.service.answer(request).await
    }
}
