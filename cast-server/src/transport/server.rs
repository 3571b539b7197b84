//! Serves connections over the HTTP library, and ends with the last of them.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
};

use http::{HeaderValue, header, uri::Scheme};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use poem::{
    Response,
    web::{LocalAddr, RemoteAddr},
};
use tokio_util::task::TaskTracker;

use super::{acceptor::CappedAcceptor, connection::Connection, drain::Drain};

/// How many connections that the system had accepted before the drain are still taken in: as many as
/// it lets wait.
const MAX_WAITING: usize = 1_024;

/// Serves until the drain begins, and every request that had begun is answered.
pub(crate) async fn run<A, F>(mut acceptor: CappedAcceptor, answer: A, drain: Arc<Drain>)
where
    A: Fn(poem::Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let local = acceptor.address();
    let connections = TaskTracker::new();
    let serve = |(connection, remote)| {
        let (answer, drain) = (answer.clone(), Arc::clone(&drain));
        connections.spawn(one(connection, local, remote, answer, drain));
    };
    loop {
        tokio::select! {
            biased;
            () = drain.begun() => break,
            accepted = acceptor.accept() => serve(accepted),
        };
    }
    // Their clients are connected, and may have sent a request: closed unseen, it would be lost.
    for waiting in acceptor.waiting(MAX_WAITING) {
        serve(waiting);
    }
    connections.close();
    connections.wait().await;
}

/// Serves one connection.
async fn one<A, F>(
    connection: Connection,
    local: SocketAddr,
    remote: SocketAddr,
    answer: A,
    drain: Arc<Drain>,
) where
    A: Fn(poem::Request) -> F,
    F: Future<Output = Response>,
{
    let draining = Arc::clone(&drain);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (local, remote) = (LocalAddr(local.into()), RemoteAddr(remote.into()));
        let request = poem::Request::from((request, local, remote, Scheme::HTTP));
        let (answered, drain) = (answer(request), Arc::clone(&draining));
        async move {
            let mut response: http::Response<_> = answered.await.into();
            if drain.deadline().is_some() {
                // The last one on this connection: its client sends the next one elsewhere.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
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
    if ended.await {
        return;
    }
    // A client may just be sending a request on a connection that is silent, and could not tell whether
    // it was served if that were closed now. So it is answered, with the word that it is the last one.
    tokio::select! {
        _ = serving.as_mut() => return,
        () = drain.last_call() => {}
    }
    serving.as_mut().graceful_shutdown();
    // What goes wrong with a connection is its client's affair.
    let _ = serving.await;
}
