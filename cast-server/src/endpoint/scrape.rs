//! `/metrics`, in Prometheus' text format.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;

/// How old a response may be. Rendering one takes a thousand times longer than sending it again: frequent
/// scrapes must not delay votes.
const MAX_AGE: Duration = Duration::from_millis(100);

/// The `Content-Type` of version 0.0.4, which every scraper reads.
pub(super) const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Caches the last response, with the time of its rendering by the monotonic clock.
#[derive(Default)]
pub(super) struct Scrape {
    last: Mutex<Option<(Duration, Bytes)>>,
}

impl Scrape {
    /// The last response if it is recent, or a new one; one caller renders at a time.
    pub(super) fn text(&self, now: Duration, render: impl FnOnce() -> String) -> Bytes {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((rendered, text)) if now.saturating_sub(*rendered) < MAX_AGE => text.clone(),
            _ => {
                let text = Bytes::from(render());
                *last = Some((now, text.clone()));
                text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_scrapes_get_the_same_response() {
        let scrape = Scrape::default();
        let ask = |ms, text: &str| {
            let text = scrape.text(Duration::from_millis(ms), || text.to_owned());
            String::from_utf8(text.into()).unwrap()
        };
        assert_eq!(ask(1_000, "first"), "first");
        assert_eq!(ask(1_099, "second"), "first");
        assert_eq!(ask(1_100, "third"), "third");
    }
}
