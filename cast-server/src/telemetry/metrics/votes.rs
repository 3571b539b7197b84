//! The outcomes of votes, and the errors of answers.

use cast_core::{Fault, domain::Outcome};
use metrics::Counter;

use super::{catalog, registry::Registry};
use crate::protocol::{ErrorCode, VoteCode};

/// Ballots, by outcome.
pub(crate) struct Votes([Counter; VoteCode::ALL.len()]);

impl Votes {
    pub(super) fn new(registry: &Registry) -> Self {
        Self(VoteCode::ALL.map(|code| registry.counter(&catalog::VOTES, &[code.as_str()])))
    }

    /// Counts a ballot.
    pub(crate) fn count(&self, code: VoteCode) {
        self.0[code as usize].increment(1);
    }

    /// Waits for the outcome of a vote, and counts it; also if the vote is dropped before.
    pub(crate) async fn counted(
        &self,
        vote: impl Future<Output = Result<Outcome, Fault>>,
    ) -> Result<Outcome, Fault> {
        let mut unanswered = Unanswered(Some(self));
        let outcome = vote.await;
        unanswered.0 = None;
        self.count(VoteCode::of(&outcome));
        outcome
    }
}

/// Counts a ballot as unanswered when it is dropped, unless it has been answered.
struct Unanswered<'a>(Option<&'a Votes>);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(votes) = self.0 {
            votes.count(VoteCode::Unanswered);
        }
    }
}

/// Errors in answers, by their code.
pub(crate) struct GraphqlErrors([Counter; ErrorCode::ALL.len()]);

impl GraphqlErrors {
    pub(super) fn new(registry: &Registry) -> Self {
        Self(ErrorCode::ALL.map(|code| {
            let label = code.as_str().to_ascii_lowercase();
            registry.counter(&catalog::GRAPHQL_ERRORS, &[&label])
        }))
    }

    /// Counts an error.
    pub(crate) fn count(&self, code: ErrorCode) {
        self.0[code as usize].increment(1);
    }
}
