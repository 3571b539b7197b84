//! Serves connections over the HTTP library, and ends with the last of them.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
};

use async_graphql::Executor;
use http::uri::Scheme;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use poem::web::{LocalAddr, RemoteAddr};
use tokio_util::task::TaskTracker;

use super::{acceptor::CappedAcceptor, connection::Connection, drain::Drain, routes::Routes};

/// Serves until the drain begins, and every request that had begun is answered.
pub(super) async fn run<E: Executor>(
    mut acceptor: CappedAcceptor,
    routes: Routes<E>,
    drain: Arc<Drain>,
) {
    let (routes, local) = (Arc::new(routes), acceptor.address());
    let connections = TaskTracker::new();
    loop {
        let (connection, remote) = tokio::select! {
            biased;
            () = drain.begun() => break,
            accepted = acceptor.accept() => accepted,
        };
        let (routes, drain) = (Arc::clone(&routes), Arc::clone(&drain));
        connections.spawn(one(connection, local, remote, routes, drain));
    }
    drop(acceptor);
    connections.close();
    connections.wait().await;
}

/// Serves one connection.
async fn one<E: Executor>(
    connection: Connection,
    local: SocketAddr,
    remote: SocketAddr,
    routes: Arc<Routes<E>>,
    drain: Arc<Drain>,
) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let routes = Arc::clone(&routes);
        async move {
            let (local, remote) = (LocalAddr(local.into()), RemoteAddr(remote.into()));
            let request = poem::Request::from((request, local, remote, Scheme::HTTP));
            let response: http::Response<_> = routes.call(request).await.into();
            Ok::<_, Infallible>(response)
        }
    });
    let serving = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
    let mut serving = pin!(serving.with_upgrades());
    let mut begun = pin!(drain.begun());
    let mut is_watched = false;
    let ended = poll_fn(|cx| {
        if serving.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        // Polled once, so that it wakes this task, whose waker never changes; polled each time it
        // would take a lock that all connections share.
        if drain.deadline().is_none() && is_watched {
            return Poll::Pending;
        }
        is_watched = true;
        begun.as_mut().poll(cx).map(|()| false)
    });
    if !ended.await {
        serving.as_mut().graceful_shutdown();
        // What goes wrong with a connection is its client's affair.
        let _ = serving.await;
    }
}
