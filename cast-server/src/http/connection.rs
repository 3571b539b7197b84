//! One client's connection, with a deadline on everything that it may keep us waiting for.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use cast_core::ports::Clock;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
};

use super::{
    HttpSettings, canned,
    head::{HeadScan, Scan},
};

/// A connection as the HTTP server sees it: a stream that ends when its client takes too long.
///
/// The HTTP server above has no deadline for a request's head, and its idle timeout does not close
/// a connection that is in the middle of one. So the stream itself follows the conversation, which
/// takes no parser: a head ends with an empty line, and an answer is whatever is written.
///
/// Architecture invariant: nothing here allocates or makes a timer for a request that comes in one
/// piece. One alarm lives over many requests: it is only looked at when it rings, and set anew then.
pub(super) struct Connection {
    stream: TcpStream,
    clock: Arc<dyn Clock>,
    limits: Limits,
    phase: Phase,
    /// When the phase ends, by the monotonic clock.
    deadline: Duration,
    alarm: Option<Alarm>,
    head: HeadScan,
    /// The connection's place under the cap.
    _permit: OwnedSemaphorePermit,
}

/// What a connection is bound to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    idle: Duration,
    head: Duration,
    answer: Duration,
    max_head_len: usize,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The client's: nothing of its next request has come.
    Idle,
    /// The client's: part of a head has come.
    Head,
    /// Ours; or the client's for the body, but that deadline is the endpoint's.
    Answer,
    /// Another protocol has taken over and keeps its own time.
    Upgraded,
    /// Nobody's: the client was told why.
    Closed,
}

struct Alarm {
    at: Duration,
    sleep: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Limits {
    pub(super) fn new(settings: &HttpSettings) -> Self {
        let answer = settings.body_deadline + settings.request_deadline + settings.header_deadline;
        Self {
            idle: settings.idle_timeout,
            head: settings.header_deadline,
            // The endpoint's own deadlines come first; this one is for what they cannot see. It is
            // no shorter than the idle one so that the alarm need not be moved for each request.
            answer: answer.max(settings.idle_timeout),
            max_head_len: settings.max_head_size,
        }
    }
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        clock: Arc<dyn Clock>,
        limits: Limits,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let deadline = clock.monotonic() + limits.idle;
        Self {
            stream,
            clock,
            limits,
            phase: Phase::Idle,
            deadline,
            alarm: None,
            head: HeadScan::default(),
            _permit: permit,
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        let limit = match phase {
            Phase::Idle => self.limits.idle,
            Phase::Head => self.limits.head,
            Phase::Answer => self.limits.answer,
            Phase::Upgraded | Phase::Closed => return,
        };
        self.deadline = self.clock.monotonic() + limit;
    }

    /// Follows what the client says; an answer if it must not go on.
    fn received(&mut self, bytes: &[u8]) -> Option<&'static [u8]> {
        match self.phase {
            Phase::Answer | Phase::Upgraded | Phase::Closed => None,
            Phase::Idle if bytes.is_empty() => None,
            Phase::Idle => {
                self.head = HeadScan::default();
                self.phase = Phase::Head;
                let scan = self.head.push(bytes, self.limits.max_head_len);
                if scan == Scan::Open {
                    self.enter(Phase::Head);
                }
                self.scanned(scan)
            }
            Phase::Head => {
                let scan = self.head.push(bytes, self.limits.max_head_len);
                self.scanned(scan)
            }
        }
    }

    fn scanned(&mut self, scan: Scan) -> Option<&'static [u8]> {
        match scan {
            Scan::Open => None,
            Scan::Complete => {
                self.enter(Phase::Answer);
                None
            }
            Scan::TooLong => Some(canned::HEAD_TOO_LARGE),
            Scan::Http2 => Some(canned::NO_HTTP_2),
        }
    }

    /// Follows what is answered.
    fn sent(&mut self, bytes: &[u8]) {
        match self.phase {
            Phase::Upgraded | Phase::Closed => {}
            _ if bytes.starts_with(b"HTTP/1.1 101") => self.enter(Phase::Upgraded),
            // "Go on": the client's body is yet to come.
            _ if bytes.starts_with(b"HTTP/1.1 1") => {}
            _ => self.enter(Phase::Idle),
        }
    }

    /// Tells the client why, as far as it listens, and ends the stream.
    fn refuse(&mut self, cx: &mut Context<'_>, answer: &'static [u8]) -> io::Error {
        self.phase = Phase::Closed;
        // It is small, so it fits the socket's buffer or the client is not reading at all.
        let _ = Pin::new(&mut self.stream).poll_write(cx, answer);
        io::Error::new(io::ErrorKind::TimedOut, "the client broke a limit")
    }

    /// Ends the phase at its deadline: pending until then.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if matches!(self.phase, Phase::Upgraded) {
            return Poll::Pending;
        }
        loop {
            match &mut self.alarm {
                Some(alarm) if alarm.at <= self.deadline => {
                    std::task::ready!(alarm.sleep.as_mut().poll(cx));
                    self.alarm = None;
                    if self.clock.monotonic() >= self.deadline {
                        return Poll::Ready(self.expired(cx));
                    }
                }
                _ => self.alarm = Some(self.new_alarm()),
            }
        }
    }

    fn new_alarm(&self) -> Alarm {
        let at = self.deadline;
        let clock = Arc::clone(&self.clock);
        let wait = at.saturating_sub(clock.monotonic());
        let sleep = Box::pin(async move { clock.sleep(wait).await });
        Alarm { at, sleep }
    }

    fn expired(&mut self, cx: &mut Context<'_>) -> io::Error {
        if self.phase == Phase::Head {
            return self.refuse(cx, canned::HEAD_TOO_SLOW);
        }
        self.phase = Phase::Closed;
        io::Error::new(io::ErrorKind::TimedOut, "the client was idle for too long")
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => match this.received(&buf.filled()[before..]) {
                None => Poll::Ready(Ok(())),
                Some(answer) => Poll::Ready(Err(this.refuse(cx, answer))),
            },
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.poll_deadline(cx).map(Err),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write(cx, buf) {
            Poll::Ready(Ok(len)) => {
                this.sent(&buf[..len]);
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // A client that does not read its answer.
            Poll::Pending => this.poll_deadline(cx).map(Err),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
