//! The laws of what clients send.

use std::{
    cell::Cell,
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
    service::service_fn,
};

use super::{
    HttpSettings,
    connection::Limits,
    inbound::{Broken, Inbound},
};

/// Where a client is after all that it sent.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Between,
    InHead,
    InBody,
    Broken(Broken),
}

/// What a client sends over a connection, behind a byte that says how it is cut.
///
/// Where requests begin and end is the same however they are cut. The HTTP library behind serves no
/// request that was not seen to begin; and where it finds nothing wrong, each that was.
pub fn requests(bytes: &[u8]) {
    let Some((&form, stream)) = bytes.split_first() else {
        return;
    };
    let max_head_len = if form & 0x80 == 0 { 64 } else { 16 * 1_024 };
    let (heads, place) = follow([stream], max_head_len);
    let pieces = stream.chunks(1 + usize::from(form & 0x7F));
    assert_eq!(follow(pieces, max_head_len), (heads, place));
    assert_eq!(
        follow(stream.chunks(1), max_head_len),
        follow([stream], max_head_len)
    );

    let (heads, place) = follow([stream], usize::MAX);
    if matches!(place, Place::Broken(_)) {
        return;
    }
    let (served, is_right) = serve(stream);
    assert!(served <= heads, "{served} served of {heads}");
    if is_right && !may_end_early(stream) {
        // Empty lines behind the last request are no head that was begun.
        assert_eq!(served, heads);
        assert_ne!(place, Place::InBody);
    }
}

/// How many heads there are, and where the client is behind the last piece, or the one that is wrong.
fn follow<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, max_head_len: usize) -> (usize, Place) {
    let (mut inbound, mut heads) = (Inbound::default(), 0);
    for piece in pieces {
        let received = inbound.push(piece, max_head_len);
        heads += received.heads;
        if let Some(broken) = received.broken {
            return (heads, Place::Broken(broken));
        }
    }
    let place = match inbound {
        Inbound::Between => Place::Between,
        Inbound::Head(_) => Place::InHead,
        Inbound::Body(_) => Place::InBody,
    };
    (heads, place)
}

/// Whether a request may say that it is the last, whatever follows.
fn may_end_early(stream: &[u8]) -> bool {
    let lower = stream.to_ascii_lowercase();
    let has = |word: &str| {
        lower
            .windows(word.len())
            .any(|part| part == word.as_bytes())
    };
    // Who says where a body ends in two ways is not listened to any longer.
    let is_ambiguous = has("content-length") && has("transfer-encoding");
    is_ambiguous
        || ["connection", "upgrade", "http/1.0", "connect "]
            .into_iter()
            .any(has)
}

/// How many requests the HTTP library serves of a stream, and whether it finds nothing wrong with it.
fn serve(stream: &[u8]) -> (usize, bool) {
    let (served, is_whole) = (Cell::new(0), Cell::new(true));
    let service = service_fn(|request: Request<Incoming>| {
        served.set(served.get() + 1);
        async {
            // What is wrong with a body ends the connection without being an error of it.
            let read = request.into_body().collect().await;
            is_whole.set(is_whole.get() && read.is_ok());
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let client = Client { unread: stream };
    let serving = http1::Builder::new().serve_connection(client, service);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let is_right = runtime
        .expect("a runtime without I/O")
        .block_on(serving)
        .is_ok();
    (served.get(), is_right && is_whole.get())
}

/// A client that says all it has to say and hears nothing.
struct Client<'a> {
    unread: &'a [u8],
}

impl Read for Client<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let (read, unread) = self
            .unread
            .split_at(buffer.remaining().min(self.unread.len()));
        buffer.put_slice(read);
        self.unread = unread;
        Poll::Ready(Ok(()))
    }
}

impl Write for Client<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// That a connection can be bound to these settings.
pub(crate) fn bind(settings: &HttpSettings) {
    let _ = Limits::new(settings);
}
