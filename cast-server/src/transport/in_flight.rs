//! What the parts of a connection know of each other: the service function and the stream beneath hyper.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use hyper::body::{Body, Frame, SizeHint};
use tokio::net::TcpStream;

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
pub(super) struct ResponseBody<B> {
    body: B,
    _in_flight: InFlight,
}

impl<B> ResponseBody<B> {
    pub(super) const fn new(body: B, in_flight: InFlight) -> Self {
        Self {
            body,
            _in_flight: in_flight,
        }
    }
}

impl<B: Body + Unpin> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
