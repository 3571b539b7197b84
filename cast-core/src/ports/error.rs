//! What can go wrong at a port.

/// The error of some library beneath an adapter.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An operation of a port that gave no answer.
///
/// Its [kind](PortErrorKind) alone decides whether to try again; nothing looks into the source.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {kind}")]
pub struct PortError {
    kind: PortErrorKind,
    operation: &'static str,
    #[source]
    source: Option<BoxError>,
}

/// May it have happened?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PortErrorKind {
    /// It did not happen; it may the next time.
    #[error("unavailable")]
    Unavailable,
    /// It may have happened or not. Only what is harmless twice may be done again.
    #[error("outcome unknown")]
    OutcomeUnknown,
    /// It did not happen, and will not with the same data: what is asked for or what is there
    /// cannot be understood or held.
    #[error("corrupt data")]
    Corrupt,
    /// It did not happen, and will not until somebody changes the setup.
    #[error("misconfigured")]
    Misconfigured,
}

impl PortError {
    /// An error of `operation`, written as "what it was doing".
    pub const fn new(kind: PortErrorKind, operation: &'static str) -> Self {
        Self {
            kind,
            operation,
            source: None,
        }
    }

    /// It did not happen; it may the next time.
    pub fn unavailable(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(PortErrorKind::Unavailable, operation).because(source)
    }

    /// It may have happened or not.
    pub fn outcome_unknown(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(PortErrorKind::OutcomeUnknown, operation).because(source)
    }

    /// The data cannot be understood or held.
    pub fn corrupt(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(PortErrorKind::Corrupt, operation).because(source)
    }

    /// Somebody has to change the setup; the source should say how.
    pub fn misconfigured(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(PortErrorKind::Misconfigured, operation).because(source)
    }

    /// Adds what lies beneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of error it is.
    pub const fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// What the port was doing.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether it may have happened.
    pub const fn may_have_happened(&self) -> bool {
        matches!(self.kind, PortErrorKind::OutcomeUnknown)
    }

    /// Whether the same call may succeed later without anybody doing something about it.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            PortErrorKind::Unavailable | PortErrorKind::OutcomeUnknown
        )
    }

    /// The whole chain of causes in one line, for a log.
    pub fn chain(&self) -> String {
        match self.causes() {
            Some(causes) => format!("{self}: {causes}"),
            None => self.to_string(),
        }
    }

    /// The causes alone, in one line; `None` if nothing lies beneath.
    pub(crate) fn causes(&self) -> Option<String> {
        let mut cause = std::error::Error::source(self)?;
        let mut line = cause.to_string();
        while let Some(next) = cause.source() {
            line = format!("{line}: {next}");
            cause = next;
        }
        Some(line)
    }
}
