//! One client's connection, with a deadline on everything that it may keep us waiting for.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use cast_core::ports::{Clock, Entropy};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
};

use super::{
    HttpSettings,
    canned::{self, Canned},
    drain::Drain,
    inbound::{Broken, Inbound},
};
use crate::{
    protocol::request_id,
    telemetry::metrics::{Metrics, OpenConnection},
};

/// A connection as the HTTP server sees it: a stream that ends when its client takes too long.
///
/// The HTTP server above has no deadline for a request's head, and its idle timeout does not close
/// a connection that is in the middle of one. So the stream itself follows the conversation: where
/// a request ends is known from its head, and an answer is whatever is written.
///
/// Architecture invariant: nothing here allocates or makes a timer for a request that comes in one
/// piece. One alarm lives over many requests: it is only looked at when it rings, and set anew then.
pub(crate) struct Connection {
    stream: TcpStream,
    shared: Arc<Shared>,
    phase: Phase,
    /// When the phase ends, by the monotonic clock.
    deadline: Duration,
    alarm: Option<Alarm>,
    inbound: Inbound,
    /// Requests whose heads are complete, and that are not answered.
    owed: usize,
    /// Whether the beginning of an answer was written, and not its end.
    is_mid_answer: bool,
    /// What the client did that it must not, behind a request that is yet to be answered.
    broken: Option<Broken>,
    /// Who waits to be told of that.
    reader: Option<Waker>,
    /// The connection's place under the cap.
    _permit: OwnedSemaphorePermit,
    _open: OpenConnection,
}

/// What all connections of a server have in common.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) limits: Limits,
    pub(crate) drain: Arc<Drain>,
    pub(crate) metrics: Arc<Metrics>,
}

/// What a connection is bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
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
    pub(crate) fn new(settings: &HttpSettings) -> Self {
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
    pub(crate) fn new(
        stream: TcpStream,
        shared: Arc<Shared>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let deadline = shared.clock.monotonic() + shared.limits.idle;
        Self {
            _open: OpenConnection::new(&shared.metrics.http),
            stream,
            shared,
            phase: Phase::Idle,
            deadline,
            alarm: None,
            inbound: Inbound::Between,
            owed: 0,
            is_mid_answer: false,
            broken: None,
            reader: None,
            _permit: permit,
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        let limits = &self.shared.limits;
        let limit = match phase {
            Phase::Idle => limits.idle,
            Phase::Head => limits.head,
            Phase::Answer => limits.answer,
            Phase::Upgraded | Phase::Closed => return,
        };
        self.deadline = self.shared.clock.monotonic() + limit;
    }

    /// Whose turn it is by what was received and sent.
    fn turn(&self) -> Phase {
        match self.inbound {
            _ if self.owed > 0 => Phase::Answer,
            Inbound::Between => Phase::Idle,
            Inbound::Head(_) => Phase::Head,
            Inbound::Body(_) => Phase::Answer,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Upgraded | Phase::Closed)
    }

    /// Follows what the client says; how many of these bytes are to be read.
    fn received(&mut self, bytes: &[u8]) -> usize {
        if self.is_over() || self.broken.is_some() {
            return bytes.len();
        }
        let received = self.inbound.push(bytes, self.shared.limits.max_head_len);
        self.owed += received.heads;
        self.broken = received.broken;
        let turn = self.turn();
        if turn != self.phase {
            self.enter(turn);
        }
        received.readable
    }

    /// Follows what is answered: whether the last of these bytes was `all` that there is to write.
    fn sent(&mut self, bytes: &[u8], all: bool) {
        if self.is_over() {
            return;
        }
        if bytes.starts_with(b"HTTP/1.1 101") {
            return self.enter(Phase::Upgraded);
        }
        // "Go on": the client's body is yet to come.
        if bytes.starts_with(b"HTTP/1.1 1") {
            return;
        }
        self.is_mid_answer |= bytes.starts_with(b"HTTP/1.");
        // Until it is read to its end, an answer has one deadline: a client that takes it byte by
        // byte wins no time.
        if all {
            self.owed = self.owed.saturating_sub(usize::from(self.is_mid_answer));
            self.is_mid_answer = false;
            self.enter(self.turn());
            // The last answer ahead: whoever reads is told now.
            if let Some(reader) = self.reader.take_if(|_| self.owed == 0) {
                reader.wake();
            }
        }
    }

    /// What the client must be told now instead of being read any further.
    fn refusal(&self) -> Option<&'static Canned> {
        // Not before the requests ahead are answered: the client would take it for their answer.
        match self.broken? {
            _ if self.owed > 0 => None,
            Broken::HeadTooLong => Some(&canned::HEAD_TOO_LARGE),
            Broken::Http2 => Some(&canned::NO_HTTP_2),
        }
    }

    /// Tells the client why, as far as it listens, and ends the stream.
    fn refuse(&mut self, cx: &mut Context<'_>, answer: &Canned) -> io::Error {
        self.phase = Phase::Closed;
        self.shared.metrics.http.no_request(answer.status_code());
        let answer = answer.write(&*self.shared.entropy);
        // It is small, so it fits the socket's buffer or the client is not reading at all.
        let _ = Pin::new(&mut self.stream).poll_write(cx, &answer);
        io::Error::new(io::ErrorKind::TimedOut, "the client broke a limit")
    }

    /// Ends the phase at its deadline, or a wait for the client soon after a drain has begun:
    /// pending until then.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, waits_for_client: bool) -> Poll<io::Error> {
        if matches!(self.phase, Phase::Upgraded) {
            return Poll::Pending;
        }
        let deadline = match self.shared.drain.deadline() {
            Some(limit) if waits_for_client => limit.min(self.deadline),
            _ => self.deadline,
        };
        loop {
            match &mut self.alarm {
                Some(alarm) if alarm.at <= deadline => {
                    std::task::ready!(alarm.sleep.as_mut().poll(cx));
                    self.alarm = None;
                    if self.shared.clock.monotonic() >= deadline {
                        return Poll::Ready(self.expired(cx));
                    }
                }
                _ => self.alarm = Some(self.new_alarm(deadline)),
            }
        }
    }

    fn new_alarm(&self, at: Duration) -> Alarm {
        let clock = Arc::clone(&self.shared.clock);
        let wait = at.saturating_sub(clock.monotonic());
        let sleep = Box::pin(async move { clock.sleep(wait).await });
        Alarm { at, sleep }
    }

    fn expired(&mut self, cx: &mut Context<'_>) -> io::Error {
        if self.phase == Phase::Head {
            return self.refuse(cx, &canned::HEAD_TOO_SLOW);
        }
        self.phase = Phase::Closed;
        io::Error::new(io::ErrorKind::TimedOut, "the client was idle for too long")
    }
}

/// Whether an answer says that the HTTP server could not make sense of a request. Nobody else saw
/// it, so it has no id.
fn is_unidentified(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.1 4")
        && memchr::memmem::find(answer, request_id::HEADER.as_bytes()).is_none()
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if this.broken.is_none() {
            match Pin::new(&mut this.stream).poll_read(cx, buf) {
                // The server above would have something to say of its own about what must not be
                // there, or nothing.
                Poll::Ready(Ok(())) => {
                    let readable = this.received(&buf.filled()[before..]);
                    buf.set_filled(before + readable);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    let waits_for_client = this.phase != Phase::Answer;
                    return this.poll_deadline(cx, waits_for_client).map(Err);
                }
            }
        }
        match this.refusal() {
            Some(answer) => Poll::Ready(Err(this.refuse(cx, answer))),
            // Nothing more is read behind what must not be there, until all ahead is answered.
            None if this.broken.is_some() && buf.filled().len() == before => {
                this.reader = Some(cx.waker().clone());
                this.poll_deadline(cx, false).map(Err)
            }
            None => Poll::Ready(Ok(())),
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
        if is_unidentified(buf) && !this.is_over() {
            // What follows is the end of the connection, which is all the same to the server.
            let _ = this.refuse(cx, canned::no_request(buf));
            return Poll::Ready(Ok(buf.len()));
        }
        match Pin::new(&mut this.stream).poll_write(cx, buf) {
            Poll::Ready(Ok(len)) => {
                this.sent(&buf[..len], len == buf.len());
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // A client that does not read its answer.
            Poll::Pending => this.poll_deadline(cx, true).map(Err),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
