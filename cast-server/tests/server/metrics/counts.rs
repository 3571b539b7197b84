//! What each metric counts.

use std::{sync::Arc, time::Duration};

use cast_adapters::system::SystemClock;
use cast_testkit::faults::{Fault, FaultPlan, Operation};
use serde_json::json;
use uuid::Uuid;

use super::{Scrape, server_over};
use crate::support::{SOON, Server, VOTE, app_over, one_vote, ports};

#[tokio::test]
async fn each_vote_is_counted_by_the_code_of_its_answer() {
    let plan = FaultPlan::quiet(Arc::new(SystemClock));
    let server = server_over(ports().intercepted(&plan)).await;
    let client = &server.client;
    let ticket = client.ticket().await;
    let mut vote = one_vote(&ticket, "ada");
    vote["ballotId"] = json!(Uuid::from_u128(7));
    for code in ["ACCEPTED", "DUPLICATE", "DUPLICATE"] {
        assert_eq!(client.vote(vote.clone()).await["code"], code);
    }
    vote["usernames"] = json!(["bo"]);
    assert_eq!(client.vote(vote).await["code"], "BAD_BALLOT");
    assert_eq!(
        client.vote(one_vote(&ticket, "")).await["code"],
        "BAD_BALLOT"
    );
    let forged = one_vote(&"0".repeat(64), "ada");
    assert_eq!(client.vote(forged).await["code"], "TICKET_INVALID");
    for (fault, code) in [
        (Fault::Refused, "UNAVAILABLE"),
        (Fault::Lost, "OUTCOME_UNKNOWN"),
    ] {
        plan.next(Operation::Publish, fault);
        let reply = client.ask(VOTE, one_vote(&ticket, "ada")).await;
        assert_eq!(reply.code(), code);
    }
    server
        .until_values(&[
            ("cast_votes_total{code=\"accepted\"}", 1.0),
            ("cast_votes_total{code=\"duplicate\"}", 2.0),
            ("cast_votes_total{code=\"bad_ballot\"}", 2.0),
            ("cast_votes_total{code=\"ticket_invalid\"}", 1.0),
            ("cast_votes_total{code=\"ticket_expired\"}", 0.0),
            ("cast_votes_total{code=\"unavailable\"}", 1.0),
            ("cast_votes_total{code=\"outcome_unknown\"}", 1.0),
            ("cast_votes_total{code=\"unanswered\"}", 0.0),
            ("cast_graphql_errors_total{code=\"unavailable\"}", 1.0),
            ("cast_graphql_errors_total{code=\"outcome_unknown\"}", 1.0),
            ("cast_flush_ballots_count", 5.0),
            ("cast_flush_ballots_sum", 5.0),
            ("cast_fold_ballots_total{result=\"counted\"}", 1.0),
            ("cast_fold_ballots_total{result=\"repeated\"}", 2.0),
            (
                "cast_http_requests_total{route=\"/graphql\",status=\"2xx\"}",
                9.0,
            ),
        ])
        .await;
}

#[tokio::test]
async fn a_vote_whose_client_disconnects_is_counted_as_unanswered() {
    let plan = FaultPlan::quiet(Arc::new(SystemClock));
    let mut app = app_over(ports().intercepted(&plan));
    app.settings.ingest.publish_deadline = SOON;
    app.http.request_deadline = Duration::from_millis(50);
    let server = Server::of(app).await;
    let ticket = server.client.ticket().await;
    plan.next(Operation::Publish, Fault::LostNoReply);
    let reply = server.client.ask(VOTE, one_vote(&ticket, "ada")).await;
    assert_eq!((reply.status, reply.code()), (504, "OUTCOME_UNKNOWN"));
    server
        .until_values(&[
            ("cast_votes_total{code=\"unanswered\"}", 1.0),
            ("cast_votes_total{code=\"outcome_unknown\"}", 0.0),
            (
                "cast_http_requests_total{route=\"/graphql\",status=\"5xx\"}",
                1.0,
            ),
        ])
        .await;
}

#[tokio::test]
async fn each_call_of_a_port_is_counted_by_how_it_ended() {
    let plan = FaultPlan::quiet(Arc::new(SystemClock));
    let mut app = app_over(ports().intercepted(&plan));
    app.settings.ingest.record_deadline = Duration::from_millis(20);
    let server = Server::of(app).await;
    let ticket = server.client.ticket().await;
    plan.next(Operation::Redeem, Fault::Refused);
    plan.next(Operation::Publish, Fault::DoneOutcomeUnknown);
    plan.next(Operation::Record, Fault::LostNoReply);
    for code in ["UNAVAILABLE", "OUTCOME_UNKNOWN", "", ""] {
        let reply = server.client.ask(VOTE, one_vote(&ticket, "ada")).await;
        assert_eq!(reply.code(), code, "{reply:?}");
    }
    let calls = |port: &str, operation: &str, outcome: &str| {
        format!("{{port=\"{port}\",operation=\"{operation}\",outcome=\"{outcome}\"}}")
    };
    for (port, operation, outcome, count) in [
        ("tickets", "redeem", "unavailable", 1.0),
        ("tickets", "redeem", "ok", 3.0),
        ("log", "publish", "outcome_unknown", 1.0),
        ("log", "publish", "ok", 2.0),
        // Dropped by its caller at its deadline.
        ("counter", "record", "dropped", 1.0),
        ("counter", "record", "ok", 1.0),
        ("store", "apply", "corrupt", 0.0),
    ] {
        let labels = calls(port, operation, outcome);
        let total = format!("cast_port_calls_total{labels}");
        server.until_values(&[(&total, count)]).await;
        let timed = format!("cast_port_call_seconds_count{labels}");
        let timed = server.scrape().await.value(&timed);
        assert_eq!(timed, (count > 0.0).then_some(count), "{labels}");
    }
    let took = format!(
        "cast_port_call_seconds_sum{}",
        calls("counter", "record", "dropped")
    );
    assert!(server.scrape().await.value(&took) >= Some(0.02));
}

#[tokio::test]
async fn a_store_that_lags_shows_its_age_until_it_has_caught_up() {
    let plan = FaultPlan::quiet(Arc::new(SystemClock));
    let server = server_over(ports().intercepted(&plan)).await;
    let ticket = server.client.ticket().await;
    let age = "cast_store_age_seconds{partition=\"0\"}";
    let progress = "cast_store_progress_offset{partition=\"0\"}";
    let end = "cast_log_end_offset{partition=\"0\"}";
    server.client.vote(one_vote(&ticket, "ada")).await;
    server
        .until_values(&[(progress, 1.0), (end, 1.0), (age, 0.0)])
        .await;

    plan.always(Operation::Apply, Fault::Refused);
    for _ in 0..3 {
        server.client.vote(one_vote(&ticket, "ada")).await;
    }
    let lag = "cast_log_lag_records{partition=\"0\"}";
    server
        .until_values(&[(progress, 1.0), (end, 4.0), (lag, 3.0)])
        .await;
    let is_older = |than: f64| move |scrape: &Scrape| scrape.value(age) > Some(than);
    server.until_scraped("an age", is_older(0.0)).await;
    // Also while neither log nor store can be asked.
    plan.always(Operation::Lag, Fault::Refused);
    plan.always(Operation::Progress, Fault::Refused);
    let then = server.scrape().await;
    let older = server.until_scraped("a greater age", is_older(then.value(age).unwrap() + 0.3));
    let read = "cast_store_read_timestamp_seconds";
    let older = older.await.value(read).unwrap();
    plan.clear();
    server
        .until_values(&[(progress, 4.0), (end, 4.0), (age, 0.0), (lag, 0.0)])
        .await;
    assert!(server.scrape().await.value(read) > Some(older));
}

#[tokio::test]
async fn a_missing_ticket_shows() {
    let plan = FaultPlan::quiet(Arc::new(SystemClock));
    let server = server_over(ports().intercepted(&plan)).await;
    let (current, uses) = ("cast_ticket_current", "cast_ticket_uses_left");
    server
        .until_values(&[(current, 1.0), (uses, 1_000_000.0)])
        .await;
    let ticket = server.client.ticket().await;
    server.client.vote(one_vote(&ticket, "ada")).await;
    server
        .until_values(&[(current, 1.0), (uses, 999_999.0)])
        .await;
    plan.always(Operation::CurrentTicket, Fault::Refused);
    server.until_values(&[(current, 0.0), (uses, 0.0)]).await;
}

#[tokio::test]
async fn connections_are_counted_while_they_are_open_and_when_they_are_refused() {
    let mut app = app_over(ports());
    app.http.max_connections = 3;
    let server = Server::of(app).await;
    // The client keeps its own.
    server.until_values(&[("cast_http_connections", 1.0)]).await;
    let held = [server.connect().await, server.connect().await];
    server.until_values(&[("cast_http_connections", 3.0)]).await;
    let mut third = server.connect().await;
    let answer = crate::support::raw(&mut third, b"").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    drop(held);
    server
        .until_values(&[
            ("cast_http_connections", 1.0),
            ("cast_http_connections_total{result=\"accepted\"}", 3.0),
            ("cast_http_connections_total{result=\"turned_away\"}", 1.0),
        ])
        .await;
    let mut nonsense = server.connect().await;
    crate::support::raw(&mut nonsense, b"nonsense\r\n\r\n").await;
    let no_request = "cast_http_requests_total{route=\"none\",status=\"4xx\"}";
    server.until_values(&[(no_request, 1.0)]).await;
}
