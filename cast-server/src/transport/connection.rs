//! Serves one connection over hyper.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use http::{HeaderValue, Request, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

use super::{
    handler::Handler,
    in_flight::{Requests, ResponseBody},
    listener::Accepted,
    rejection::Rejection,
    shared::Shared,
    stream::TimedStream,
};
use crate::protocol::ConnectionEvent;

/// The least that hyper takes as the size of its buffer.
const MIN_BUFFER_SIZE: usize = 8 * 1_024;

/// Serves a connection until its client, a deadline or a drain ends it.
pub(super) async fn serve<H: Handler>(accepted: Accepted, shared: Arc<Shared>, handler: Arc<H>) {
    let Accepted {
        stream,
        remote,
        permit: _permit,
    } = accepted;
    let _open = Open::new(&shared);
    let requests = Arc::new(Requests::default());
    let stream = TimedStream::new(stream, Arc::clone(&shared), Arc::clone(&requests));
    let service = {
        let (shared, requests) = (Arc::clone(&shared), Arc::clone(&requests));
        service_fn(move |request: Request<Incoming>| {
            let in_flight = requests.begin();
            let (handler, shared) = (Arc::clone(&handler), Arc::clone(&shared));
            async move {
                let mut response = handler.handle(request, remote).await;
                if shared.drain.deadline().is_some() {
                    // The last one on this connection: its client sends the next request elsewhere.
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(response.map(|body| ResponseBody {
                    body,
                    _in_flight: in_flight,
                }))
            }
        })
    };
    let max_head_size = shared.settings.max_head_size;
    let mut connection = http1::Builder::new()
        .max_header_size(max_head_size)
        .max_buf_size(max_head_size.max(MIN_BUFFER_SIZE))
        .serve_connection(TokioIo::new(stream), service);

    let has_ended = or_drain(Pin::new(&mut connection), &shared).await;
    let ended = match has_ended {
        Some(ended) => ended,
        None => {
            // A client may just be sending a request on a connection that is idle, and could not tell
            // whether it was served if that were closed now. So it is answered, with the word that it
            // is the last one.
            tokio::select! {
                ended = &mut connection => ended,
                () = shared.drain.last_call() => {
                    Pin::new(&mut connection).graceful_shutdown();
                    (&mut connection).await
                }
            }
        }
    };
    drop(connection);
    // An error between two requests is one of the client's: the response says which.
    let rejection = ended.err().and_then(|error| Rejection::of_error(&error));
    if let (Some(rejection), Some(socket)) = (rejection, requests.take_socket()) {
        (shared.events)(ConnectionEvent::Rejected(rejection.status()));
        rejection.send(socket, &*shared.entropy);
    }
}

/// Waits for the end of a connection; `None` if a drain begins before.
async fn or_drain<F: Future>(mut connection: Pin<&mut F>, shared: &Shared) -> Option<F::Output> {
    let drain = &shared.drain;
    let mut begun = pin!(drain.begun());
    let mut is_waker_set = false;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        // Polled once, so that it wakes this task, whose waker never changes; polled each time it
        // would take a lock that all connections share.
        if drain.deadline().is_none() && is_waker_set {
            return Poll::Pending;
        }
        is_waker_set = true;
        begun.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// Reports a connection that is open, for as long as this lives.
struct Open<'a>(&'a Shared);

impl<'a> Open<'a> {
    fn new(shared: &'a Shared) -> Self {
        (shared.events)(ConnectionEvent::Opened);
        Self(shared)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        (self.0.events)(ConnectionEvent::Closed);
    }
}
