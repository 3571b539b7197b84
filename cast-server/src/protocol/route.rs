//! The routes of requests.

use super::text_enum::text_enum;

text_enum! {
    /// The route of a request, as logs and metrics name it: a client's own path stays out of them.
    Route {
        Graphql = "/graphql",
        Livez = "/livez",
        Healthz = "/healthz",
        Readyz = "/readyz",
        Metrics = "/metrics",
        /// An unknown path.
        Other = "other",
        /// Bytes that are no HTTP request. It stays the last: `HttpMetrics` indexes the times of all others.
        None = "none",
    }
}

impl Route {
    pub(crate) fn of(path: &str) -> Self {
        let is_it = |route: &Self| route.as_str() == path;
        // A path begins with a slash, so none is named as the last two are.
        Self::ALL.into_iter().find(is_it).unwrap_or(Self::Other)
    }
}
