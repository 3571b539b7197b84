//! What clients of the first CAST rely on, by a client that knows API.md and nothing else.

use std::time::Duration;

use cast_adapters::system::SystemClock;
use cast_core::{Settings, domain::Clock};
use cast_testkit::{eventually, race};
use serde_json::{Value, json};

use crate::support::{SOON, Server, app, app_over, one_vote, ports};

/// A server with the tickets of API.md: a new one every 2 s, good for 2 s and 100 uses.
async fn with_default_tickets() -> Server {
    let mut app = app();
    app.settings = Settings::default();
    Server::of(app).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_votes_100_times_exactly_however_many_race_for_it() {
    let mut app = app();
    // On a busy machine 400 votes may take longer than a ticket of 2 s lasts.
    app.settings.tickets.uses = Settings::default().tickets.uses;
    let server = Server::of(app).await;
    let client = &server.client;
    let ticket = client.ticket().await;
    let results = race(64, |racer| {
        let (client, ticket) = (client.clone(), ticket.clone());
        async move {
            let mut results = Vec::new();
            // 400 votes over 64 connections.
            for _ in 0..(if racer < 16 { 7 } else { 6 }) {
                results.push(client.vote(one_vote(&ticket, "raced for")).await);
            }
            results
        }
    });
    let results: Vec<Value> = results.await.into_iter().flatten().collect();
    let count = |name: &str, value: Value| results.iter().filter(|r| r[name] == value).count();
    assert_eq!(results.len(), 400);
    assert_eq!(count("success", json!(true)), 100);
    assert_eq!(count("message", json!("Ticket usage limit exceeded")), 300);
    assert_eq!(client.cas().await["remainingUsage"], 0);
    assert_eq!(client.tally("raced for").await, 100);
    let shown = results
        .iter()
        .filter_map(|result| result["votes"][0].as_i64());
    assert!(shown.clone().all(|votes| (1..=100).contains(&votes)));
    assert_eq!(shown.count(), 100);
}

#[tokio::test]
async fn a_ticket_no_longer_votes_2_s_after_its_issue_and_there_is_always_one() {
    let server = with_default_tickets().await;
    let client = &server.client;
    let now = || i64::try_from(SystemClock.now().as_unix_ms()).unwrap();
    let end = |cas: &Value| {
        let until = cas["validUntil"].as_str().unwrap();
        until.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    };
    let first = client.cas().await;
    let (ticket, until) = (first["ticket"].as_str().unwrap(), end(&first));
    assert!(until <= now() + 2_000);
    let mut vote = one_vote(ticket, "early and late");
    // Repeated, so that it costs no use.
    vote["ballotId"] = json!("0193b3a0-0000-4000-8000-000000000003");
    let (expired, next) = eventually(SOON, "its end", || async {
        // Without a ticket in between, this would be an error.
        let current = client.cas().await;
        let (before, result, after) = (now(), client.vote(vote.clone()).await, now());
        if after < until {
            assert_eq!(result["success"], true, "{result}");
        }
        if before >= until {
            assert_eq!(result["success"], false, "{result}");
        }
        (result["success"] == false).then_some((result, end(&current)))
    })
    .await;
    assert_eq!(expired["message"], "Ticket expired");
    assert_eq!(expired["code"], "TICKET_EXPIRED");
    assert_eq!(expired["retryable"], true);
    // A new one every 2 s.
    assert_eq!((next - until) % 2_000, 0, "{next} after {until}");
}

#[tokio::test]
async fn tickets_of_a_shorter_period_expire_sooner() {
    let mut app = app();
    app.settings.tickets.period = Duration::from_millis(200);
    app.settings.tickets.ttl = Duration::from_millis(200);
    let server = Server::of(app).await;
    let ticket = server.client.ticket().await;
    let message = eventually(SOON, "its end", || async {
        let result = server.client.vote(one_vote(&ticket, "x")).await;
        (result["success"] == false).then(|| result["message"].clone())
    });
    assert_eq!(message.await, "Ticket expired");
}

#[tokio::test]
async fn cas_shows_a_ticket_its_expiry_and_its_uses_left() {
    let mut app = app();
    app.settings.tickets.uses = 100;
    let server = Server::of(app).await;
    let cas = server.client.cas().await;
    let ticket = cas["ticket"].as_str().unwrap();
    assert_eq!(ticket.len(), 64);
    assert!(
        ticket.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{ticket}"
    );
    assert_eq!(cas["remainingUsage"], 100);
    let until = cas["validUntil"].as_str().unwrap();
    assert!(until.ends_with('Z'), "{until}");
    let until: jiff::Timestamp = until.parse().expect("RFC 3339");
    let now = i64::try_from(SystemClock.now().as_unix_ms()).unwrap();
    assert!(until.as_millisecond() > now);
    server.client.vote(one_vote(ticket, "a")).await;
    server.client.vote(one_vote(ticket, "a")).await;
    assert_eq!(server.client.cas().await["remainingUsage"], 98);
}

#[tokio::test]
async fn a_success_repeats_the_names_in_their_order_with_the_tallies_after_it() {
    let server = Server::start().await;
    let client = &server.client;
    let ticket = client.ticket().await;
    let vote = json!({"ticket": ticket, "usernames": ["zoe", "adam"], "voteCount": [3, 2]});
    client.vote(vote.clone()).await;
    let result = client.vote(vote).await;
    assert_eq!(result["success"], true);
    assert_eq!(result["message"], "Votes recorded successfully");
    assert_eq!(result["usernames"], json!(["zoe", "adam"]));
    assert_eq!(result["votes"], json!([6, 4]));
    assert_eq!(result["code"], "ACCEPTED");
    assert_eq!(
        (&result["retryable"], &result["stale"]),
        (&json!(false), &json!(false))
    );
    let id = result["ballotId"].as_str().unwrap();
    assert_eq!(id.parse::<uuid::Uuid>().unwrap().get_version_num(), 7);
}

#[tokio::test]
async fn the_first_casts_own_document_works_to_the_letter() {
    let server = Server::start().await;
    let ticket = server.client.ticket().await;
    let document = "mutation($usernames: [String!]!, $voteCount: [Int!]!, $ticket: String!, \
                    $voterUsername: String) { vote(usernames: $usernames, voteCount: $voteCount, \
                    ticket: $ticket, voterUsername: $voterUsername) \
                    { success message usernames votes } }";
    let variables = json!({
        "usernames": ["Alice"], "voteCount": [1], "ticket": ticket, "voterUsername": "",
    });
    let data = server.client.data(document, variables).await;
    let expected = json!({"success": true, "message": "Votes recorded successfully",
                          "usernames": ["Alice"], "votes": [1]});
    assert_eq!(data["vote"], expected);
    let data = server
        .client
        .data("{ query(username: \"Alice\") }", Value::Null)
        .await;
    assert_eq!(data["query"], 1);
    assert_eq!(server.client.tally("Unknown").await, 0);
}

#[tokio::test]
async fn variables_that_the_document_does_not_declare_are_no_error() {
    let server = Server::start().await;
    let ticket = server.client.ticket().await;
    let document = "mutation($t: String!) { vote(usernames: [\"a\"], voteCount: [1], ticket: $t) \
                    { success } }";
    let variables = json!({"t": ticket, "requestId": 7, "nested": {"a": [null]}});
    // Twice: the second time the document is known.
    for _ in 0..2 {
        let data = server.client.data(document, variables.clone()).await;
        assert_eq!(data["vote"]["success"], true);
    }
}

#[tokio::test]
async fn a_name_twice_in_one_vote_is_added_up() {
    let server = Server::start().await;
    let ticket = server.client.ticket().await;
    let vote = json!({
        "ticket": ticket, "usernames": ["a", "b", "a"], "voteCount": [1, 5, 2],
    });
    let result = server.client.vote(vote).await;
    assert_eq!(result["usernames"], json!(["a", "b", "a"]));
    assert_eq!(result["votes"], json!([3, 5, 3]));
    assert_eq!(server.client.tally("a").await, 3);
}

#[tokio::test]
async fn the_same_ballot_again_counts_once_and_costs_no_use() {
    let server = Server::start().await;
    let client = &server.client;
    let ticket = client.ticket().await;
    let id = "0193b3a0-0000-4000-8000-000000000001";
    let mut vote = one_vote(&ticket, "again");
    vote["ballotId"] = json!(id);
    let first = client.vote(vote.clone()).await;
    let uses = client.cas().await["remainingUsage"].clone();
    let second = client.vote(vote.clone()).await;
    assert_eq!(
        (&first["code"], &second["code"]),
        (&json!("ACCEPTED"), &json!("DUPLICATE"))
    );
    assert_eq!(
        (&second["success"], &second["ballotId"]),
        (&json!(true), &json!(id))
    );
    assert_eq!(client.cas().await["remainingUsage"], uses);

    vote["voteCount"] = json!([2]);
    let altered = client.vote(vote).await;
    assert_eq!(
        (&altered["success"], &altered["code"]),
        (&json!(false), &json!("BAD_BALLOT"))
    );
    assert_eq!(altered["ballotId"], json!(id));
    assert!(
        altered["message"].as_str().unwrap().contains("ballotId"),
        "{altered}"
    );

    eventually(SOON, "the count", || async {
        let query = "query($id: ID!) { ballot(id: $id) { id fate partition offset reason } }";
        let fate = client.data(query, json!({"id": id})).await["ballot"].clone();
        assert_eq!((&fate["id"], &fate["reason"]), (&json!(id), &Value::Null));
        (fate["fate"] == "COUNTED").then_some(())
    })
    .await;
    assert_eq!(client.tally("again").await, 1);
}

#[tokio::test]
async fn an_unknown_ballot_has_no_fate() {
    let server = Server::start().await;
    let query = "{ ballot(id: \"0193b3a0-0000-4000-8000-00000000000f\") { fate } }";
    assert_eq!(
        server.client.data(query, Value::Null).await,
        json!({"ballot": null})
    );
}

#[tokio::test]
async fn tallies_and_the_leaderboard_show_votes_and_versions() {
    let server = Server::start().await;
    let client = &server.client;
    let ticket = client.ticket().await;
    let names = ["c", "a", "b"];
    client
        .vote(json!({"ticket": ticket, "usernames": names, "voteCount": [1, 2, 2]}))
        .await;
    let query = "query($n: [String!]!) { tallies(usernames: $n) { username votes version } \
                 tally(username: \"a\") { username votes } }";
    let data = client
        .data(query, json!({"n": ["b", "unknown", "c"]}))
        .await;
    let votes: Vec<_> = data["tallies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| &t["votes"])
        .collect();
    assert_eq!(votes, [&json!(2), &json!(0), &json!(1)]);
    assert_eq!(data["tallies"][0]["version"], 1);
    assert_eq!(data["tally"], json!({"username": "a", "votes": 2}));
    eventually(SOON, "the fold", || async {
        let data = client
            .data("{ leaderboard(first: 2) { username votes } }", Value::Null)
            .await;
        let expected = json!([{"username": "a", "votes": 2}, {"username": "b", "votes": 2}]);
        (data["leaderboard"] == expected).then_some(())
    })
    .await;
    let all = client
        .data("{ leaderboard { username } }", Value::Null)
        .await;
    assert_eq!(all["leaderboard"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_count_beyond_32_bits_is_an_error_where_it_does_not_fit_and_the_vote_stands() {
    let mut app = app_over(ports());
    app.settings.ingest.max_votes = u32::MAX;
    let server = Server::of(app).await;
    let client = &server.client;
    let ticket = client.ticket().await;
    let vote = json!({
        "ticket": ticket, "usernames": ["few", "much"], "voteCount": [1, 4_000_000_000_u64],
    });
    let reply = client.ask(crate::support::VOTE, vote.clone()).await;
    assert_eq!(
        (reply.status, reply.code()),
        (200, "COUNT_TOO_LARGE"),
        "{reply:?}"
    );
    let (result, error) = (&reply.body["data"]["vote"], &reply.body["errors"][0]);
    assert_eq!(
        (&result["success"], &result["code"]),
        (&json!(true), &json!("ACCEPTED"))
    );
    // Not even the number that would fit, and no null that a client might take for one.
    assert_eq!(result.get("votes"), None, "{result}");
    // A client that looks at errors only learns that the ballot counts, and its id.
    assert_eq!(error["path"], json!(["vote", "votes"]));
    assert_eq!(error["extensions"]["retryable"], false);
    assert_eq!(error["extensions"]["ballotId"], result["ballotId"]);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("ballot counts"), "{message}");
    // So does a client that asked for no other field, and gets no data.
    let only_votes = "mutation($t: String!, $id: ID!) { vote(usernames: [\"few\", \"much\"], \
                      voteCount: [1, 4000000000], ticket: $t, ballotId: $id) { votes } }";
    let variables = json!({"t": ticket, "id": result["ballotId"]});
    let again = client.ask(only_votes, variables).await;
    assert_eq!(again.code(), "COUNT_TOO_LARGE", "{again:?}");
    assert_eq!(again.body["data"], json!({"vote": null}));
    let extensions = &again.body["errors"][0]["extensions"];
    assert_eq!(extensions["ballotId"], result["ballotId"]);
    assert_eq!(client.tally("few").await, 1);
    let reply = client
        .ask("{ query(username: \"much\") }", Value::Null)
        .await;
    assert_eq!(
        (reply.code(), &reply.body["data"]),
        ("COUNT_TOO_LARGE", &Value::Null)
    );
    let data = client
        .data("{ tally(username: \"much\") { votes } }", Value::Null)
        .await;
    assert_eq!(data["tally"]["votes"], 4_000_000_000_u64);
}
