//! `/metrics`: in Prometheus' text format.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, header};
use poem::Response;

/// How old an answer may be. To write one takes a thousand times what it takes to send it again: who
/// asks without end, or in great number, must not keep votes waiting.
const MAX_AGE: Duration = Duration::from_millis(100);

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The last answer, and when it was written by the monotonic clock.
#[derive(Default)]
pub(crate) struct Scrape {
    last: Mutex<Option<(Duration, Bytes)>>,
}

impl Scrape {
    /// The last answer if it is young, or one that is written now, by one caller at a time.
    pub(crate) fn text(&self, now: Duration, write: impl FnOnce() -> String) -> Bytes {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((written, text)) if now.saturating_sub(*written) < MAX_AGE => text.clone(),
            _ => {
                let text = Bytes::from(write());
                *last = Some((now, text.clone()));
                text
            }
        }
    }
}

pub(crate) fn response(text: Bytes) -> Response {
    let mut response = Response::default();
    response.set_body(text);
    let headers = response.headers_mut();
    let (format, no_store) = (TEXT_FORMAT, "no-store");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(no_store));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_is_told_the_same_again() {
        let scrape = Scrape::default();
        let ask = |ms, text: &str| {
            let told = scrape.text(Duration::from_millis(ms), || text.to_owned());
            String::from_utf8(told.into()).unwrap()
        };
        assert_eq!(ask(1_000, "first"), "first");
        assert_eq!(ask(1_099, "second"), "first");
        assert_eq!(ask(1_100, "third"), "third");
    }
}
