//! What the parts of a connection know of each other: the service function and the stream beneath hyper.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::net::TcpStream;

use super::handler;

/// The requests of one connection, counted, so that its stream needs no parser to know whether one is
/// being served.
///
/// The service function and the stream run in one task: the order of the counters is that of the
/// program, and `Relaxed` is enough.
#[derive(Debug, Default)]
pub(super) struct Requests {
    begun: AtomicU32,
    ended: AtomicU32,
    /// The socket of a connection that ended between two requests.
    socket: Mutex<Option<TcpStream>>,
}

/// One request that is being served, for as long as this lives.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Requests>);

impl Requests {
    /// Counts a request whose head was read.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.begun.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// How many have begun; it wraps around.
    pub(super) fn begun(&self) -> u32 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether one is being served.
    pub(super) fn is_in_flight(&self) -> bool {
        self.begun() != self.ended.load(Ordering::Relaxed)
    }

    /// Keeps the socket that hyper has given up, for a last response.
    pub(super) fn keep_socket(&self, socket: TcpStream) {
        *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket);
    }

    pub(super) fn take_socket(&self) -> Option<TcpStream> {
        self.socket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// A response's body. Its request is in flight until the last of it is in hyper's buffer: hyper then
/// drops it.
pub(super) struct ResponseBody {
    pub(super) body: handler::Body,
    pub(super) _in_flight: InFlight,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
