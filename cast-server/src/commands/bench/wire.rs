//! The GraphQL requests of a run, and the meaning of their responses.
//!
//! Each document is always the same text, as programs send it: what changes are the variables.

use bytes::Bytes;
use cast_core::domain::BallotId;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::response::VoteResponse;
use crate::client::{Cas, Connection, GraphqlError, GraphqlResponse, ask};

/// The most names that one request may ask for.
pub(super) const MAX_TALLIES: usize = 100;

const VOTE: &str = "mutation Bench($names: [String!]!, $counts: [Int!]!, $ticket: String!, \
    $id: ID) { vote(usernames: $names, voteCount: $counts, ticket: $ticket, ballotId: $id) \
    { success code votes } }";

/// A vote for one name. Written out: this is what is sent by the hundred thousand.
pub(super) fn vote(name: &str, ticket: &str, id: Option<BallotId>) -> Bytes {
    // A name and an id need no escapes; a ticket comes quoted.
    let id = id.map_or(String::from("null"), |id| format!("\"{id}\""));
    let body = format!(
        "{{\"query\":\"{VOTE}\",\"variables\":{{\"names\":[\"{name}\"],\"counts\":[1],\
         \"ticket\":{ticket},\"id\":{id}}}}}"
    );
    body.into()
}

#[derive(Deserialize)]
struct VoteData {
    vote: Vote,
}

#[derive(Deserialize)]
struct Vote {
    success: bool,
    code: Option<String>,
    #[serde(default)]
    votes: Vec<u64>,
}

/// The answer to a vote.
pub(super) fn read_vote(status: StatusCode, body: &[u8]) -> VoteResponse {
    let Ok(response) = serde_json::from_slice::<GraphqlResponse<VoteData>>(body) else {
        return not_graphql(status);
    };
    match response.data {
        Some(VoteData { vote }) => from_data(vote),
        None => from_errors(status, response.errors),
    }
}

/// An answer like this is perhaps not from the server, but from something before it.
fn not_graphql(status: StatusCode) -> VoteResponse {
    let code = format!("HTTP_{}", status.as_u16());
    if status.is_client_error() {
        VoteResponse::Fault(code)
    } else {
        VoteResponse::Unknown(code)
    }
}

fn from_data(vote: Vote) -> VoteResponse {
    match (vote.success, vote.code) {
        (true, Some(code)) if code == "DUPLICATE" => VoteResponse::Duplicate,
        (true, _) => VoteResponse::Accepted(vote.votes.first().copied()),
        (false, code) => VoteResponse::Refused(code.unwrap_or_else(|| "WITHOUT_CODE".into())),
    }
}

fn from_errors(status: StatusCode, errors: Vec<GraphqlError>) -> VoteResponse {
    let Some(code) = errors.into_iter().next().map(|error| error.extensions.code) else {
        return not_graphql(status);
    };
    let code = code.unwrap_or_else(|| "WITHOUT_CODE".into());
    match &*code {
        // The ballot counts all the same.
        "COUNT_TOO_LARGE" => VoteResponse::Accepted(None),
        "OVERLOADED"
        | "UNAVAILABLE"
        | "NO_TICKET"
        | "BAD_USER_INPUT"
        | "GRAPHQL_PARSE_FAILED"
        | "GRAPHQL_VALIDATION_FAILED" => VoteResponse::Fault(code),
        // OUTCOME_UNKNOWN; and what is not known to mean that nothing happened.
        _ => VoteResponse::Unknown(code),
    }
}

#[derive(Deserialize)]
struct Tally {
    username: String,
    votes: u64,
}

#[derive(Deserialize)]
struct Ballot {
    fate: String,
}

/// The one field of an answer.
#[derive(Deserialize)]
struct Field<T> {
    #[serde(alias = "cas", alias = "tallies", alias = "ballot")]
    value: T,
}

/// The ticket that is good now.
pub(super) async fn cas(connection: &mut Connection<'_>) -> Result<Cas, String> {
    let query = "{ cas { ticket validUntil remainingUsage } }";
    let data: Field<Cas> = ask(connection, query, &Value::Null).await?;
    Ok(data.value)
}

/// What a server shows for some names.
pub(super) async fn tallies(
    connection: &mut Connection<'_>,
    names: &[String],
) -> Result<Vec<u64>, String> {
    let query = "query($names: [String!]!) { tallies(usernames: $names) { username votes } }";
    let mut votes = Vec::with_capacity(names.len());
    for names in names.chunks(MAX_TALLIES) {
        let data: Field<_> = ask(connection, query, &json!({"names": names})).await?;
        votes.extend(votes_of(names, data.value)?);
    }
    Ok(votes)
}

fn votes_of(names: &[String], tallies: Vec<Tally>) -> Result<Vec<u64>, String> {
    if !tallies.iter().map(|tally| &tally.username).eq(names) {
        return Err("it answered with the tallies of other names than were asked for".into());
    }
    Ok(tallies.into_iter().map(|tally| tally.votes).collect())
}

/// The fate of a ballot; none if the server does not know it.
pub(super) async fn ballot(
    connection: &mut Connection<'_>,
    id: BallotId,
) -> Result<Option<String>, String> {
    let query = "query($id: ID!) { ballot(id: $id) { fate } }";
    let data: Field<Option<Ballot>> =
        ask(connection, query, &json!({"id": id.to_string()})).await?;
    Ok(data.value.map(|ballot| ballot.fate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_200(body: &str) -> VoteResponse {
        read_vote(StatusCode::OK, body.as_bytes())
    }

    fn error(code: &str) -> String {
        json!({"data": null, "errors": [{"message": "m", "extensions": {"code": code}}]})
            .to_string()
    }

    #[test]
    fn a_vote_is_json_whatever_the_ticket_is() {
        let id: BallotId = "0190b7a5-0000-7000-8000-000000000001".parse().unwrap();
        let ticket = serde_json::to_string("a\"\\b").unwrap();
        let body: serde_json::Value =
            serde_json::from_slice(&vote("bench-1-2", &ticket, Some(id))).unwrap();
        let expected = json!({
            "names": ["bench-1-2"], "counts": [1], "ticket": "a\"\\b", "id": id.to_string(),
        });
        assert_eq!(body["variables"], expected);
        let body: serde_json::Value = serde_json::from_slice(&vote("b", &ticket, None)).unwrap();
        assert!(body["variables"]["id"].is_null());
    }

    #[test]
    fn data_says_accepted_duplicate_or_refused() {
        let accepted = r#"{"data":{"vote":{"success":true,"code":"ACCEPTED","votes":[7]}}}"#;
        assert_eq!(read_200(accepted), VoteResponse::Accepted(Some(7)));
        let duplicate = r#"{"data":{"vote":{"success":true,"code":"DUPLICATE","votes":[7]}}}"#;
        assert_eq!(read_200(duplicate), VoteResponse::Duplicate);
        let refused = r#"{"data":{"vote":{"success":false,"code":"TICKET_EXPIRED","votes":[]}}}"#;
        assert_eq!(
            read_200(refused),
            VoteResponse::Refused("TICKET_EXPIRED".into())
        );
    }

    #[test]
    fn errors_that_say_that_nothing_happened_are_faults_and_all_others_are_unknown() {
        for code in ["OVERLOADED", "UNAVAILABLE", "NO_TICKET", "BAD_USER_INPUT"] {
            assert_eq!(read_200(&error(code)), VoteResponse::Fault(code.into()));
        }
        for code in ["OUTCOME_UNKNOWN", "INTERNAL_SERVER_ERROR", "NEW"] {
            assert_eq!(read_200(&error(code)), VoteResponse::Unknown(code.into()));
        }
        assert_eq!(
            read_200(&error("COUNT_TOO_LARGE")),
            VoteResponse::Accepted(None)
        );
    }

    #[test]
    fn an_answer_that_is_none_may_come_from_a_proxy() {
        let html = b"<html>";
        let read = |status| read_vote(status, html);
        assert_eq!(
            read(StatusCode::BAD_GATEWAY),
            VoteResponse::Unknown("HTTP_502".into())
        );
        assert_eq!(
            read(StatusCode::OK),
            VoteResponse::Unknown("HTTP_200".into())
        );
        assert_eq!(
            read(StatusCode::NOT_FOUND),
            VoteResponse::Fault("HTTP_404".into())
        );
    }

    #[test]
    fn an_answer_has_one_field_which_may_be_null() {
        let tallies = r#"{"tallies":[{"username":"a","votes":3}]}"#;
        let tallies: Field<Vec<Tally>> = serde_json::from_str(tallies).unwrap();
        assert_eq!(votes_of(&["a".into()], tallies.value), Ok(vec![3]));
        let ballot: Field<Option<Ballot>> = serde_json::from_str(r#"{"ballot":null}"#).unwrap();
        assert!(ballot.value.is_none());
    }

    #[test]
    fn tallies_are_of_the_names_that_were_asked_for() {
        let read = |names: &[&str]| {
            let tallies = [("a", 3), ("b", 0)].map(|(name, votes)| Tally {
                username: name.into(),
                votes,
            });
            let names: Vec<_> = names.iter().map(|&name| name.into()).collect();
            votes_of(&names, tallies.into())
        };
        assert_eq!(read(&["a", "b"]), Ok(vec![3, 0]));
        assert!(read(&["b", "a"]).is_err());
        assert!(read(&["a"]).is_err());
    }
}
