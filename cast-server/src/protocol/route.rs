//! The routes of requests.

/// The route of a request, as logs and metrics name it: a client's own path stays out of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Graphql,
    Livez,
    Healthz,
    Readyz,
    Metrics,
    /// An unknown path.
    Other,
    /// Bytes that are no HTTP request.
    None,
}

impl Route {
    /// All of them, in the order above.
    pub(crate) const ALL: [Self; 7] = [
        Self::Graphql,
        Self::Livez,
        Self::Healthz,
        Self::Readyz,
        Self::Metrics,
        Self::Other,
        Self::None,
    ];

    /// The routes of requests: all but the last.
    pub(crate) const PATHS: [Self; 6] = [
        Self::Graphql,
        Self::Livez,
        Self::Healthz,
        Self::Readyz,
        Self::Metrics,
        Self::Other,
    ];

    pub(crate) fn of(path: &str) -> Self {
        let is_it = |route: &Self| route.as_str() == path;
        // A path begins with a slash, so none is named as the last two are.
        Self::PATHS.into_iter().find(is_it).unwrap_or(Self::Other)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Graphql => "/graphql",
            Self::Livez => "/livez",
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
            Self::Metrics => "/metrics",
            Self::Other => "other",
            Self::None => "none",
        }
    }
}
