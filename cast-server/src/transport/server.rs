//! Accepts connections and serves them, until it is drained.

use std::{io, net::SocketAddr, sync::Arc};

use cast_core::domain::{Clock, Entropy};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    connection,
    drain::Drain,
    handler::{ConnectionEvents, Handler},
    listener::Listener,
    settings::HttpSettings,
    shared::Shared,
};

/// How many connections that the system had established before the drain are still served: as many as
/// its queue holds.
const MAX_BACKLOG: usize = 1_024;

/// A server that accepts connections. Dropping it starts its drain.
pub struct Server {
    address: SocketAddr,
    /// Ends accepting, which begins the drain.
    stop: DropGuard,
    task: JoinHandle<()>,
}

/// Serves connections on a bound listener with `handler`.
pub(crate) fn serve<H: Handler>(
    listener: TcpListener,
    settings: HttpSettings,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    events: ConnectionEvents,
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
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(listener, shared, handler, stop.clone()));
    Ok(Server {
        address,
        stop: stop.drop_guard(),
        task,
    })
}

/// Serves until it is stopped, and every request that had begun is answered.
async fn run<H: Handler>(
    mut listener: Listener,
    shared: Arc<Shared>,
    handler: Arc<H>,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let serve = |accepted| {
        let (shared, handler) = (Arc::clone(&shared), Arc::clone(&handler));
        connections.spawn(connection::serve(accepted, shared, handler));
    };
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => serve(accepted),
        };
    }
    // The clients of these are connected, and may have sent a request: it would be lost with a reset.
    let established = listener.close(MAX_BACKLOG);
    // Not before the socket is closed: a client whose connection is closed might connect to this socket
    // again.
    shared.drain.begin();
    for accepted in established {
        serve(accepted);
    }
    connections.close();
    connections.wait().await;
}

impl Server {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it ends, which it does not by itself.
    pub async fn failed(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Accepts no more connections, and waits until every request that had begun is answered. A client
    /// that keeps it waiting is cut off; see [`HttpSettings::drain_timeout`]. There is no other
    /// deadline: the caller has one for its whole drain.
    pub async fn drain(self) {
        drop(self.stop);
        // A task that has ended must not be polled again.
        if !self.task.is_finished() {
            let _ = self.task.await;
        }
    }
}
