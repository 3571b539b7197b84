//! What those who run CAST ask: does the process work, and can it do its job now?

use std::{fmt::Write as _, sync::Arc};

use cast_core::{Cast, Check, ports::Clock};
use http::{HeaderValue, StatusCode, header};
use poem::Response;

use crate::{coalesced::Coalesced, protocol::ServerPlaces};

/// `/livez`: the process works. It asks nobody: a server that lost its dependencies must not be
/// restarted for it.
pub(crate) fn live() -> Response {
    plain(StatusCode::OK, "ok\n".into())
}

/// `/readyz` and `/healthz` of a process that has not begun its job.
pub(crate) fn waiting(what: &str) -> Response {
    plain(
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready\n{what}\n"),
    )
}

/// `/readyz` and `/healthz`: whether each thing that the job needs answers, by name.
///
/// Each is asked for it, so that whoever asks too often must not be able to ask all at once.
pub(crate) struct Readiness {
    cast: Cast,
    places: ServerPlaces,
    asked: Coalesced<(StatusCode, String)>,
}

impl Readiness {
    pub(crate) fn new(cast: Cast, places: ServerPlaces, clock: Arc<dyn Clock>) -> Self {
        Self {
            cast,
            places,
            asked: Coalesced::new(clock),
        }
    }

    /// Whose it is.
    pub(crate) const fn cast(&self) -> &Cast {
        &self.cast
    }

    pub(crate) async fn answer(&self) -> Response {
        let (status, text) = self.asked.ask(self.check()).await;
        plain(status, text)
    }

    async fn check(&self) -> (StatusCode, String) {
        let checks = self.cast.readiness().await;
        let missing = |check: &&Check| check.needed && check.result.is_err();
        let status = match checks.iter().find(missing) {
            None => StatusCode::OK,
            Some(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let text = describe(&checks, &self.places, status == StatusCode::OK);
        (status, text)
    }
}

/// One line for the whole, and one for each thing that does not answer.
fn describe(checks: &[Check], places: &ServerPlaces, is_ready: bool) -> String {
    let mut text = String::from(if is_ready { "ok\n" } else { "not ready\n" });
    for check in checks {
        if let Err(fault) = &check.result {
            let role = if check.needed { "needed" } else { "not needed" };
            // The kind only: what lies beneath is for the log, not for whoever asks.
            let (label, kind) = (places.label(check.name), fault.kind());
            let _ = writeln!(text, "{label}: {kind} ({role})");
        }
    }
    text
}

fn plain(status: StatusCode, text: String) -> Response {
    let mut response = Response::default();
    response.set_status(status);
    response.set_body(text);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
