//! The error of a port.

/// The error of a library that an adapter uses.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The failure of a port's operation.
///
/// Its [kind](PortErrorKind) alone decides whether to retry; the source is only for the log.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {kind}")]
pub struct PortError {
    kind: PortErrorKind,
    operation: &'static str,
    #[source]
    source: Option<BoxError>,
}

/// Whether the operation may have happened, and whether a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PortErrorKind {
    /// It did not happen. A retry may succeed.
    #[error("unavailable")]
    Unavailable,
    /// It may have happened or not, for example after a time-out. Only an idempotent operation may be
    /// retried.
    #[error("outcome unknown")]
    OutcomeUnknown,
    /// It did not happen, and will not with the same data: the port cannot decode or store it.
    #[error("corrupt data")]
    Corrupt,
    /// It did not happen, and will not until an operator changes the configuration.
    #[error("misconfigured")]
    Misconfigured,
}

impl PortError {
    /// An error of `operation`: an [`Operation`](super::Operation)'s name, or what the adapter was doing, as
    /// in "reading a ticket".
    pub const fn new(kind: PortErrorKind, operation: &'static str) -> Self {
        Self {
            kind,
            operation,
            source: None,
        }
    }

    /// The operation did not happen; a retry may succeed.
    pub fn unavailable(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(PortErrorKind::Unavailable, operation).because(source)
    }

    /// The operation may have happened or not.
    pub fn outcome_unknown(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(PortErrorKind::OutcomeUnknown, operation).because(source)
    }

    /// The data cannot be decoded or stored.
    pub fn corrupt(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(PortErrorKind::Corrupt, operation).because(source)
    }

    /// An operator has to change the configuration; the source should say how.
    pub fn misconfigured(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(PortErrorKind::Misconfigured, operation).because(source)
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the operation may have happened, and whether a retry can help.
    pub const fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// The operation that failed.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether the operation may have happened.
    pub const fn may_have_happened(&self) -> bool {
        matches!(self.kind, PortErrorKind::OutcomeUnknown)
    }

    /// Whether the same call may succeed later without a change of data or configuration.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            PortErrorKind::Unavailable | PortErrorKind::OutcomeUnknown
        )
    }

    /// The error and all its causes in one line, for a log.
    pub fn chain(&self) -> String {
        match self.causes() {
            Some(causes) => format!("{self}: {causes}"),
            None => self.to_string(),
        }
    }

    /// A copy of the error, with its causes as text.
    pub(crate) fn copied(&self) -> Self {
        let copy = Self::new(self.kind, self.operation);
        match self.causes() {
            Some(causes) => copy.because(causes),
            None => copy,
        }
    }

    /// The causes in one line; `None` if there is none.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [PortError; 4] {
        [
            PortError::unavailable("asking", "no"),
            PortError::outcome_unknown("asking", "no"),
            PortError::corrupt("asking", "no"),
            PortError::misconfigured("asking", "no"),
        ]
    }

    #[test]
    fn only_an_unknown_outcome_may_have_happened() {
        let may = all().map(|error| error.may_have_happened());
        assert_eq!(may, [false, true, false, false]);
    }

    #[test]
    fn errors_of_data_and_configuration_are_not_transient() {
        let transient = all().map(|error| error.is_transient());
        assert_eq!(transient, [true, true, false, false]);
    }

    #[test]
    fn it_names_the_operation_the_kind_and_every_cause() {
        let lines = all().map(|error| error.chain());
        let expected = [
            "asking: unavailable: no",
            "asking: outcome unknown: no",
            "asking: corrupt data: no",
            "asking: misconfigured: no",
        ];
        assert_eq!(lines, expected);
        let above = PortError::unavailable("fetching", all().into_iter().next().expect("one"));
        assert_eq!(
            above.chain(),
            "fetching: unavailable: asking: unavailable: no"
        );
        assert_eq!(above.operation(), "fetching");
    }
}
