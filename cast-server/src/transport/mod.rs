//! Connections: accepted up to a cap, served over hyper, each with a deadline on every wait for its
//! client, and drained before the process exits.
//!
//! | file | holds |
//! |---|---|
//! | `listener` | accepts connections, with a cap and a back-off |
//! | `connection` | serves one over hyper, until its client or a drain ends it |
//! | `in_flight` | whether a request is being served |
//! | `stream` | the deadlines: idle, slow head, stalled reader |
//! | `rejection` | the response to what is not a request |
//! | `drain` | how long a drain waits for clients |
//! | `settings` | what can be set |
//!
//! hyper parses, and keeps its own limits on heads. Only HTTP/1.1 is spoken: a TLS-terminating proxy in
//! front of CAST speaks HTTP/2 to the world.
//!
//! Architecture invariant: this module imports nothing of the server but `protocol`. What serves requests
//! is a [`Handler`], and what counts connections is a [`ConnectionEvents`].

mod connection;
mod drain;
mod in_flight;
mod listener;
mod rejection;
mod settings;
mod stream;

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use cast_core::ports::{Clock, Entropy};
use http::{Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::task::TaskTracker;

pub use self::settings::HttpSettings;
use self::{drain::Drain, listener::Listener};

/// How many connections that the system had established before the drain are still served: as many as
/// its queue holds.
const MAX_BACKLOG: usize = 1_024;

/// Serves requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The body of a response.
    type Body: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static;

    /// Answers a request of the client at `remote`, whatever happens: it must not panic.
    fn handle(
        &self,
        request: Request<Incoming>,
        remote: SocketAddr,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Learns what happens to connections.
pub(crate) trait ConnectionEvents: Send + Sync + 'static {
    /// A connection is served.
    fn opened(&self);
    /// A connection that was opened is closed.
    fn closed(&self);
    /// A connection is turned away: as many are open as may be.
    fn refused(&self);
    /// A connection is closed with this status because it made no valid request.
    fn rejected(&self, status: StatusCode);
}

/// What all connections of a server share.
struct Shared {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: HttpSettings,
    events: Arc<dyn ConnectionEvents>,
    drain: Drain,
}

/// A server that accepts connections. Dropping it starts its drain.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// Serves connections on a bound listener with `handler`.
pub(crate) fn serve<H: Handler>(
    listener: TcpListener,
    settings: HttpSettings,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    events: Arc<dyn ConnectionEvents>,
    handler: Arc<H>,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let drain = Drain::new(Arc::clone(&clock), settings.drain_timeout);
    let shared = Arc::new(Shared {
        clock,
        entropy,
        settings,
        events,
        drain,
    });
    let listener = Listener::new(listener, Arc::clone(&shared));
    let task = tokio::spawn(run(listener, Arc::clone(&shared), handler));
    Ok(Server {
        address,
        shared,
        task,
    })
}

/// Serves until the drain begins, and every request that had begun is answered.
async fn run<H: Handler>(mut listener: Listener, shared: Arc<Shared>, handler: Arc<H>) {
    let connections = TaskTracker::new();
    let serve = |accepted| {
        let (shared, handler) = (Arc::clone(&shared), Arc::clone(&handler));
        connections.spawn(connection::serve(accepted, shared, handler));
    };
    loop {
        tokio::select! {
            biased;
            () = shared.drain.begun() => break,
            accepted = listener.accept() => serve(accepted),
        };
    }
    // Their clients are connected, and may have sent a request: it would be lost with a reset.
    for accepted in listener.close(MAX_BACKLOG) {
        serve(accepted);
    }
    connections.close();
    connections.wait().await;
}

impl Server {
    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it ends, which it does not by itself.
    pub(crate) async fn failed(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Accepts no more connections, and waits until every request that had begun is answered. A client
    /// that keeps it waiting is cut off; see [`HttpSettings::drain_timeout`]. There is no other
    /// deadline: the caller has one for its whole drain.
    pub(crate) async fn drain(mut self) {
        self.shared.drain.begin();
        // A task that has ended must not be polled again.
        if !self.task.is_finished() {
            self.failed().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.drain.begin();
    }
}
