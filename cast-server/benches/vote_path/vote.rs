//! The vote that every side is sent.

/// The candidates, voted for in turn.
pub(crate) const CANDIDATES: usize = 100;

pub(crate) const DOCUMENT: &str = "mutation Vote($usernames: [String!]!, $counts: [Int!]!, \
    $ticket: String!) { vote(usernames: $usernames, voteCount: $counts, ticket: $ticket) \
    { success message usernames votes } }";

/// The variables of [`DOCUMENT`].
pub(crate) fn variables(candidate: &str, ticket: &str) -> serde_json::Value {
    serde_json::json!({"usernames": [candidate], "counts": [1], "ticket": ticket})
}
