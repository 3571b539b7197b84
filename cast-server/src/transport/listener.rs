//! Accepts connections, as many as there may be.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use cast_core::Backoff;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{rejection::Rejection, shared::Shared};
use crate::protocol::ConnectionEvent;

/// The first pause after the system refused to accept a connection; it doubles with each refusal in a
/// row.
const MIN_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// A TCP listener with a cap on connections.
///
/// It never fails: what the system refuses is logged, and tried again after a pause.
pub(super) struct Listener {
    socket: TcpListener,
    limiter: ConnectionLimiter,
    backoff: Backoff,
}

/// Caps how many connections are open at once.
struct ConnectionLimiter {
    permits: Arc<Semaphore>,
    shared: Arc<Shared>,
}

/// A connection that was accepted.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) remote: SocketAddr,
    /// Its place under the cap, until it is closed.
    pub(super) permit: OwnedSemaphorePermit,
}

impl Listener {
    pub(super) fn new(socket: TcpListener, shared: Arc<Shared>) -> Self {
        let permits = shared.settings.max_connections.min(Semaphore::MAX_PERMITS);
        Self {
            socket,
            limiter: ConnectionLimiter {
                permits: Arc::new(Semaphore::new(permits)),
                shared,
            },
            backoff: Backoff::new(MIN_PAUSE, MAX_PAUSE),
        }
    }

    /// The next connection that fits under the cap.
    pub(super) async fn accept(&mut self) -> Accepted {
        loop {
            match self.socket.accept().await {
                Ok((stream, remote)) => {
                    self.backoff.reset();
                    if let Some(accepted) = self.limiter.admit(stream, remote) {
                        return accepted;
                    }
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    // Mostly the limit of open files: there is no other way than to wait for one to
                    // close.
                    let pause = self.backoff.next_pause();
                    tracing::warn!(%error, ?pause, "cannot accept connections");
                    self.limiter.shared.clock.sleep(pause).await;
                }
            }
        }
    }

    /// Stops accepting: returns the connections that the system has established by now, at most `max`.
    ///
    /// The plain socket is asked. Tokio's knows of a connection once its driver has seen it, and one
    /// that it has not seen yet would be reset unread.
    pub(super) fn close(self, max: usize) -> Vec<Accepted> {
        let Ok(socket) = self.socket.into_std() else {
            return Vec::new();
        };
        let mut established = Vec::new();
        for _ in 0..max {
            match socket.accept() {
                Ok((stream, remote)) => {
                    let stream = stream.set_nonblocking(true).map(|()| stream);
                    let stream = stream.and_then(TcpStream::from_std);
                    established.extend(stream.ok().and_then(|s| self.limiter.admit(s, remote)));
                }
                Err(error) if concerns_one_connection(&error) => {}
                // There is none, or the system gives no more.
                Err(_) => break,
            }
        }
        established
    }
}

impl ConnectionLimiter {
    /// A place for the connection; without one it is rejected.
    fn admit(&self, stream: TcpStream, remote: SocketAddr) -> Option<Accepted> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            (self.shared.events)(ConnectionEvent::Refused);
            Rejection::TooManyConnections.send(stream, &*self.shared.entropy);
            return None;
        };
        // Responses are small and written at once: nothing is gained by waiting for more of them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was closed before it was served");
            return None;
        }
        Some(Accepted {
            stream,
            remote,
            permit,
        })
    }
}

/// Whether the next connection may be accepted at once.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
