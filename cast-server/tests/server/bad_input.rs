//! Invalid input: a refusal names the field and the limit, and changes nothing.

use cast_adapters::system::{SystemClock, SystemEntropy};
use cast_core::domain::{Clock, KeyRing};
use serde_json::{Value, json};

use crate::support::{Server, one_vote};

/// A vote for `victim` with some variables replaced is refused, with words in its message.
async fn is_refused(server: &Server, changes: Value, code: &str, words: &[&str]) {
    let client = &server.client;
    let before = client.cas().await;
    let mut vote = one_vote(before["ticket"].as_str().unwrap(), "victim");
    for (name, value) in changes.as_object().unwrap() {
        vote[name] = value.clone();
    }
    let result = client.vote(vote).await;
    assert_eq!(result["success"], false, "{changes} {result}");
    assert_eq!(result["code"], code, "{changes} {result}");
    assert_eq!(
        (&result["usernames"], &result["votes"]),
        (&json!([]), &json!([])),
        "{result}"
    );
    assert!(result["ballotId"].is_string(), "{result}");
    let message = result["message"].as_str().unwrap();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    assert_eq!(
        client.cas().await["remainingUsage"],
        before["remainingUsage"],
        "{changes}"
    );
    assert_eq!(client.tally("victim").await, 0, "{changes}");
}

#[tokio::test]
async fn a_bad_ballot_is_refused_with_its_field_and_limit_and_burns_no_use() {
    let server = Server::start().await;
    let ones = |count: usize| {
        json!({
            "usernames": vec!["victim"; count], "voteCount": vec![1; count],
        })
    };
    let name = |name: &str| json!({"usernames": [name]});
    let count = |count: i64| json!({"voteCount": [count]});
    for (changes, words) in [
        (
            json!({"voteCount": [1, 2]}),
            &["Vote count list must have the same length as usernames list"][..],
        ),
        (
            json!({"voteCount": []}),
            &["Vote count list must have the same length"],
        ),
        (ones(0), &["usernames", "1 to 16"]),
        (ones(17), &["usernames", "1 to 16"]),
        (ones(500), &["usernames", "1 to 16"]),
        (count(0), &["voteCount[0]", "at least 1"]),
        (count(-1), &["voteCount[0]", "at least 1"]),
        (count(i64::MIN), &["voteCount[0]", "at least 1"]),
        (count(1_001), &["voteCount[0]", "at most 1000"]),
        (count(2_000_000_000), &["voteCount[0]", "at most 1000"]),
        (count(4_294_967_297), &["voteCount[0]", "at most 1000"]),
        (count(i64::MAX), &["voteCount[0]", "at most 1000"]),
        (name(""), &["usernames[0]", "empty"]),
        (name("   "), &["usernames[0]", "empty"]),
        (name(&"x".repeat(65)), &["usernames[0]", "64", "65"]),
        (name(&"\u{e9}".repeat(33)), &["usernames[0]", "64", "66"]),
        (name("a\u{0}b"), &["usernames[0]", "U+0000"]),
        (name("a\nb"), &["usernames[0]", "U+000A"]),
        (name("a\u{202e}b"), &["usernames[0]", "U+202E"]),
        (name("a\u{200b}b"), &["usernames[0]", "U+200B"]),
        (
            json!({"voterUsername": "a\u{7}"}),
            &["voterUsername", "U+0007"],
        ),
        (
            json!({"voterUsername": "v".repeat(65)}),
            &["voterUsername", "64"],
        ),
        (json!({"ballotId": "7"}), &["ballotId", "UUID"]),
        (json!({"ballotId": ""}), &["ballotId", "UUID"]),
        (json!({"ballotId": 7}), &["ballotId", "UUID"]),
        (
            json!({"ballotId": "00000000-0000-0000-0000-000000000000"}),
            &["ballotId", "nil"],
        ),
        (
            json!({"usernames": ["victim", "b"], "voteCount": [1, 0]}),
            &["voteCount[1]", "at least 1"],
        ),
    ] {
        is_refused(&server, changes, "BAD_BALLOT", words).await;
    }
}

#[tokio::test]
async fn a_ticket_that_this_key_ring_did_not_issue_is_invalid() {
    let server = Server::start().await;
    let good = server.client.ticket().await;
    let of_another_ring =
        KeyRing::generate(&SystemEntropy).issue(SystemClock.now(), &SystemEntropy);
    let mut flipped = good.clone().into_bytes();
    flipped[63] = if flipped[63] == b'0' { b'1' } else { b'0' };
    let flipped = String::from_utf8(flipped).unwrap();
    for ticket in [
        "",
        "x",
        &good[1..],
        &format!("{good}0"),
        &"g".repeat(64),
        &"0".repeat(64),
        &"\u{e9}".repeat(32),
        &flipped,
        &of_another_ring.ticket().to_hex(),
    ] {
        let changes = json!({"ticket": ticket});
        is_refused(&server, changes, "TICKET_INVALID", &["Invalid ticket"]).await;
    }
}

#[tokio::test]
async fn a_bad_ballot_is_refused_as_such_whatever_its_ticket() {
    let server = Server::start().await;
    let forged = "0".repeat(64);
    for ticket in ["x", &forged] {
        let changes = json!({"ticket": ticket, "voteCount": [0]});
        is_refused(&server, changes, "BAD_BALLOT", &["voteCount[0]"]).await;
    }
}

#[tokio::test]
async fn a_refusal_repeats_the_ballot_id_it_was_given() {
    let server = Server::start().await;
    let id = "0193b3a0-0000-4000-8000-000000000002";
    for vote in [
        json!({"ticket": "x", "usernames": ["a"], "voteCount": [1], "ballotId": id}),
        json!({"ticket": "x", "usernames": [], "voteCount": [], "ballotId": id}),
    ] {
        assert_eq!(server.client.vote(vote).await["ballotId"], id);
    }
    let without = server.client.vote(one_vote("x", "a")).await;
    let id: uuid::Uuid = without["ballotId"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
}

#[tokio::test]
async fn an_empty_voter_is_the_same_as_none() {
    let server = Server::start().await;
    let mut vote = one_vote(&server.client.ticket().await, "a");
    vote["voterUsername"] = json!("");
    assert_eq!(server.client.vote(vote).await["success"], true);
}

#[tokio::test]
async fn queries_with_bad_arguments_are_bad_user_input() {
    let server = Server::start().await;
    let names: Vec<_> = (0..101).map(|n| format!("n{n}")).collect();
    for (query, words) in [
        ("{ query(username: \"\") }", "username must not be empty"),
        ("{ tally(username: \"a\\u0000\") { votes } }", "U+0000"),
        (
            "{ tallies(usernames: [\"a\", \"\"]) { votes } }",
            "usernames[1]",
        ),
        (
            "query($names: [String!]!) { tallies(usernames: $names) { votes } }",
            "at most 100",
        ),
        ("{ leaderboard(first: 0) { votes } }", "from 1 to 100"),
        ("{ leaderboard(first: 101) { votes } }", "from 1 to 100"),
        ("{ leaderboard(first: -1) { votes } }", "from 1 to 100"),
        ("{ ballot(id: \"x\") { fate } }", "UUID"),
    ] {
        let reply = server.client.ask(query, json!({"names": names})).await;
        assert_eq!(
            (reply.status, reply.code()),
            (200, "BAD_USER_INPUT"),
            "{query} {reply:?}"
        );
        let error = &reply.body["errors"][0];
        assert_eq!(error["extensions"]["retryable"], false);
        assert!(
            error["message"].as_str().unwrap().contains(words),
            "{query} {error}"
        );
    }
}
