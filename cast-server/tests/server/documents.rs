//! A cached document is answered as one that is not: the second time like the first.

use serde_json::{Value, json};

use crate::support::{Client, Server, VOTE, one_vote};

/// Sends a document that is not cached, and again when it is.
async fn before_and_after_caching(
    client: &Client,
    query: &str,
    good: Value,
    tried: &Value,
) -> [Value; 2] {
    // A comment makes it another text, and so another document.
    let fresh = format!("{query} # {}", uuid::Uuid::from_u128(0));
    let unknown = client.ask(&fresh, tried.clone()).await;
    client.data(query, good).await;
    let known = client.ask(query, tried.clone()).await;
    assert_eq!(unknown.status, known.status, "{tried}");
    [unknown.body, known.body]
}

#[tokio::test]
async fn variables_that_do_not_fit_get_the_same_errors() {
    let server = Server::start().await;
    let ticket = server.client.ticket().await;
    let good = one_vote(&ticket, "a");
    for (name, value) in [
        (
            "usernames",
            json!("a string, which stands for a list of it"),
        ),
        ("usernames", json!([7])),
        ("usernames", json!([null])),
        ("usernames", Value::Null),
        ("voteCount", json!([1.5])),
        ("voteCount", json!(["1"])),
        ("voteCount", json!([18_446_744_073_709_551_615_u64])),
        ("voteCount", json!({"a": 1})),
        ("ticket", json!(7)),
        ("ticket", json!(["x"])),
        ("ticket", json!(true)),
        ("voterUsername", json!(7)),
        ("voterUsername", Value::Null),
        ("ballotId", json!(1.5)),
        ("ballotId", json!(["x"])),
        ("ballotId", Value::Null),
    ] {
        let mut tried = good.clone();
        tried[name] = value;
        let [unknown, known] =
            before_and_after_caching(&server.client, VOTE, good.clone(), &tried).await;
        let errors = |answer: &Value| answer.get("errors").cloned();
        assert_eq!(errors(&unknown), errors(&known), "{tried}");
        assert_eq!(
            unknown.get("data").is_some(),
            known.get("data").is_some(),
            "{tried}"
        );
        if let Some(errors) = errors(&known) {
            assert_eq!(
                errors[0]["extensions"]["code"], "BAD_USER_INPUT",
                "{errors}"
            );
            assert!(
                errors[0]["message"].as_str().unwrap().contains(name),
                "{errors}"
            );
            assert!(known.get("data").is_none(), "{known}");
        }
    }
}

#[tokio::test]
async fn missing_variables_get_the_same_errors() {
    let server = Server::start().await;
    let ticket = server.client.ticket().await;
    let good = one_vote(&ticket, "a");
    for name in ["usernames", "voteCount", "ticket"] {
        let mut tried = good.clone();
        tried.as_object_mut().unwrap().remove(name);
        let [unknown, known] =
            before_and_after_caching(&server.client, VOTE, good.clone(), &tried).await;
        assert_eq!(unknown, known);
        assert_eq!(known["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert!(
            known["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains(name),
            "{known}"
        );
    }
}

#[tokio::test]
async fn defaults_and_nulls_mean_the_same() {
    let server = Server::start().await;
    let client = &server.client;
    let query = "query($first: Int = 3) { leaderboard(first: $first) { username } }";
    for tried in [
        json!({}),
        json!({"first": null}),
        json!({"first": 2}),
        json!({"first": 0}),
    ] {
        let [unknown, known] =
            before_and_after_caching(client, query, json!({"first": 1}), &tried).await;
        let place_free = |mut answer: Value| {
            if let Some(error) = answer["errors"].get_mut(0) {
                error["locations"] = Value::Null;
            }
            answer
        };
        assert_eq!(place_free(unknown), place_free(known), "{tried}");
    }
}

/// The parser also names another operation, any of them; the same request would get different answers.
#[tokio::test]
async fn a_second_operation_beside_one_without_a_name_gets_the_same_answer_each_time() {
    let server = Server::start().await;
    let query = "query A {__typename} query B {__typename} query C {__typename} {__typename}";
    let nameless = query.rfind('{').expect("it is the last");
    for _ in 0..20 {
        let answer = server.client.ask(query, Value::Null).await;
        let error = &answer.body["errors"][0];
        assert_eq!(error["extensions"]["code"], "GRAPHQL_PARSE_FAILED");
        let message = "An operation without a name must be the only one of its document";
        assert_eq!(error["message"], message);
        let places = json!([{"line": 1, "column": nameless + 1}]);
        assert_eq!(error["locations"], places);
    }
}

#[tokio::test]
async fn a_document_with_an_error_is_not_cached() {
    let server = Server::start().await;
    for query in [
        "{ colour }",
        "{ query }",
        "{ query(username: 7) }",
        "{ a b c",
    ] {
        let first = server.client.ask(query, Value::Null).await;
        for _ in 0..2 {
            let again = server.client.ask(query, Value::Null).await;
            assert_eq!(
                (first.status, &first.body),
                (again.status, &again.body),
                "{query}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_directive_skips_is_validated_when_it_is_included() {
    let server = Server::start().await;
    let query = "query($hide: Boolean!, $n: [String!]) { \
                 a: query(username: \"a\") tallies(usernames: $n) @skip(if: $hide) { votes } }";
    let hidden = json!({"hide": true});
    for tried in [json!({"hide": false}), json!({"hide": false, "n": ["a"]})] {
        let both = before_and_after_caching(&server.client, query, hidden.clone(), &tried).await;
        assert_eq!(both[0], both[1], "{tried}");
    }
    let query = "query($hide: Boolean!) { a: query(username: \"a\") \
                 b: query(username: \"b\") @skip(if: $hide) }";
    for (hide, expected) in [(true, json!({"a": 0})), (false, json!({"a": 0, "b": 0}))] {
        let data = server.client.data(query, json!({"hide": hide})).await;
        assert_eq!(data, expected);
    }
}
