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

    /// An error that says the same, with the causes as text.
    pub(crate) fn copied(&self) -> Self {
        let copy = Self::new(self.kind, self.operation);
        match self.causes() {
            Some(causes) => copy.because(causes),
            None => copy,
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
    fn what_is_wrong_with_data_or_setup_does_not_pass_by_itself() {
        let passes = all().map(|error| error.is_transient());
        assert_eq!(passes, [true, true, false, false]);
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
