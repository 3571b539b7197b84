//! A client's byte stream, with a deadline on each wait for the client.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{in_flight::Requests, shared::Shared};

/// A connection as hyper sees it: a stream that fails when its client takes too long.
///
/// hyper has one deadline for idle connections and slow heads alike, makes a timer a request for it, and
/// has none for a client that does not read. Here a deadline is set when the server first has to wait, and
/// one alarm lives over many requests: it is looked at when it fires, and set anew then.
///
/// | the server waits for | deadline |
/// |---|---|
/// | the first byte of a request | `idle_timeout` |
/// | the rest of its head | `header_deadline` |
/// | its body | the endpoint's, which can answer |
/// | the endpoint | the endpoint's: each path has one |
/// | the client to take a response | `idle_timeout`, for all of it |
///
/// Architecture invariant: nothing here allocates for a request that comes in one piece, nor reads the
/// clock more than once.
pub(super) struct TimedStream {
    /// `None` once it is dropped.
    socket: Option<TcpStream>,
    shared: Arc<Shared>,
    requests: Arc<Requests>,
    phase: Phase,
    /// How many requests had begun when the phase was last brought up to date.
    begun: u32,
    /// When the wait for the client ends, by the monotonic clock; `None` before the first wait.
    deadline: Option<Duration>,
    alarm: Option<Alarm>,
    /// Whether hyper has answered a malformed head by itself. Its response has neither a body nor a
    /// request id: it is not sent, and the connection's task sends another.
    has_malformed_head: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between requests. What came in one piece with the request before is in hyper's buffer: a head that
    /// begins there is under the idle deadline until more of it comes.
    Idle,
    /// A part of a head has come.
    Head,
    /// A request is in flight, or its response is yet to be written.
    InFlight,
}

struct Alarm {
    at: Duration,
    sleep: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl TimedStream {
    pub(super) fn new(socket: TcpStream, shared: Arc<Shared>, requests: Arc<Requests>) -> Self {
        Self {
            socket: Some(socket),
            shared,
            requests,
            phase: Phase::Idle,
            begun: 0,
            deadline: None,
            alarm: None,
            has_malformed_head: false,
        }
    }

    fn socket(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(
            self.socket
                .as_mut()
                .expect("it is there until this is dropped"),
        )
    }

    /// Takes notice of requests that have begun.
    fn update_phase(&mut self) {
        let begun = self.requests.begun();
        if begun != self.begun {
            self.begun = begun;
            self.enter(Phase::InFlight);
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.deadline = None;
    }

    /// Fails when the client has been waited for too long, or a drain waits no more; pending until then.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Shared {
            clock,
            settings,
            drain,
            ..
        } = &*self.shared;
        let limit = match self.phase {
            Phase::Head => settings.header_deadline,
            Phase::Idle | Phase::InFlight => settings.idle_timeout,
        };
        let deadline = *self
            .deadline
            .get_or_insert_with(|| clock.monotonic() + limit);
        let deadline = drain.deadline().map_or(deadline, |end| end.min(deadline));
        loop {
            match &mut self.alarm {
                Some(alarm) if alarm.at <= deadline => {
                    ready!(alarm.sleep.as_mut().poll(cx));
                    self.alarm = None;
                    if clock.monotonic() >= deadline {
                        let what = "the client took too long";
                        return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, what));
                    }
                }
                _ => {
                    let wait = deadline.saturating_sub(clock.monotonic());
                    let clock = Arc::clone(clock);
                    let sleep = Box::pin(async move { clock.sleep(wait).await });
                    self.alarm = Some(Alarm {
                        at: deadline,
                        sleep,
                    });
                }
            }
        }
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.update_phase();
        let before = buf.filled().len();
        match this.socket().poll_read(cx, buf) {
            Poll::Ready(read) => {
                if this.phase == Phase::Idle && buf.filled().len() > before {
                    this.enter(Phase::Head);
                }
                Poll::Ready(read)
            }
            Poll::Pending if this.phase == Phase::InFlight => Poll::Pending,
            Poll::Pending => this.poll_timeout(cx).map(Err),
        }
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.update_phase();
        if this.phase != Phase::InFlight {
            this.has_malformed_head = true;
            return Poll::Ready(Ok(buf.len()));
        }
        match this.socket().poll_write(cx, buf) {
            Poll::Ready(written) => Poll::Ready(written),
            // The client does not read. It has one deadline for all that hyper has to write: taking it
            // byte by byte wins no time.
            Poll::Pending => this.poll_timeout(cx).map(Err),
        }
    }

    /// hyper flushes when it has written all that it had.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.update_phase();
        if this.phase == Phase::InFlight {
            if this.requests.is_in_flight() {
                this.deadline = None;
            } else {
                this.enter(Phase::Idle);
                // Now, because hyper reads again only when something wakes the task.
                if let Poll::Ready(error) = this.poll_timeout(cx) {
                    return Poll::Ready(Err(error));
                }
            }
        }
        this.socket().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.has_malformed_head {
            return Poll::Ready(Ok(()));
        }
        this.socket().poll_shutdown(cx)
    }
}

impl Drop for TimedStream {
    fn drop(&mut self) {
        // In the middle of a response, whatever else is said would be taken for a part of it.
        if let Some(socket) = self.socket.take_if(|_| self.phase != Phase::InFlight) {
            self.requests.keep_socket(socket);
        }
    }
}
