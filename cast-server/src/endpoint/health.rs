//! Health checks: does the process work, and can it do its job now?

use std::fmt::Write as _;

use cast_core::{Cast, Check};
use http::StatusCode;
use poem::Response;

use super::response;
use crate::{coalesced::Coalesced, protocol::ServerPlaces};

/// `/livez`: the process works. It checks no dependency: a server that lost one must not be restarted
/// for it.
pub(super) fn live() -> Response {
    plain(StatusCode::OK, "ok\n".into())
}

/// `/readyz` and `/healthz` of a process that cannot do its job yet.
pub(super) fn waiting(what: &str) -> Response {
    plain(
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready\n{what}\n"),
    )
}

/// `/readyz` and `/healthz`: whether each dependency answers, by name.
///
/// A check asks each of them, so checks that come at the same time share one.
pub(super) struct Readiness {
    cast: Cast,
    places: ServerPlaces,
    shared: Coalesced<(StatusCode, String)>,
}

impl Readiness {
    pub(super) fn new(cast: Cast, places: ServerPlaces) -> Self {
        Self {
            cast,
            places,
            shared: Coalesced::default(),
        }
    }

    /// The CAST whose dependencies it checks.
    pub(super) const fn cast(&self) -> &Cast {
        &self.cast
    }

    pub(super) async fn answer(&self) -> Response {
        let (status, text) = self.shared.ask(self.check()).await;
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

/// A line for all of it, and one for each dependency that does not answer.
fn describe(checks: &[Check], places: &ServerPlaces, is_ready: bool) -> String {
    let mut text = String::from(if is_ready { "ok\n" } else { "not ready\n" });
    for check in checks {
        if let Err(fault) = &check.result {
            let role = if check.needed { "needed" } else { "not needed" };
            // The kind only: the cause is for the log, and may hold a secret.
            let (label, kind) = (places.label(check.name), fault.kind());
            let _ = writeln!(text, "{label}: {kind} ({role})");
        }
    }
    text
}

fn plain(status: StatusCode, text: String) -> Response {
    response::uncached(status, "text/plain; charset=utf-8", text)
}
