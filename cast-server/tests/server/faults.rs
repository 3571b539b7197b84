//! When it is our side that is wrong: codes, ids to retry with, and masked internals.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cast_adapters::system::SystemClock;
use cast_core::{
    Ports,
    domain::{Claim, CurrentTicket, GenuineTicket, Redemption},
    ports::{ForwardingTicketSource, PortError, TicketSource},
};
use cast_testkit::{
    eventually,
    faults::{Fault, FaultPlan, Gate, Moment, Operation},
    servers::free_address,
};
use serde_json::{Value, json};

use crate::support::{Client, Log, SOON, Server, VOTE, app_over, one_vote, ports, timed};

/// A server whose ports fail as the plan says.
async fn faulty() -> (Server, Arc<FaultPlan>) {
    let plan = FaultPlan::quiet(Arc::new(SystemClock));
    let server = Server::of(app_over(ports().intercepted(&plan))).await;
    (server, plan)
}

#[tokio::test]
async fn a_full_intake_says_overloaded_at_once() {
    let gate = Gate::new();
    let mut app = app_over(ports().intercepted(&gate));
    app.settings.ingest.intake_capacity = 2;
    app.settings.ingest.flush_limit = 1;
    app.settings.ingest.flushes_in_flight = 1;
    app.settings.ingest.max_wait = SOON;
    app.settings.ingest.publish_deadline = SOON;
    app.http.request_deadline = SOON * 5;
    let server = Server::of(app).await;
    let ticket = server.client.ticket().await;
    gate.close(Operation::Publish, Moment::Before);
    let vote = |name: &str| {
        let (client, variables) = (server.client.clone(), one_vote(&ticket, name));
        async move { client.ask(VOTE, variables).await }
    };
    let mut waiting: Vec<_> = (0..16).map(|_| tokio::spawn(vote("waits"))).collect();
    gate.until_waiting(Operation::Publish, Moment::Before, 1)
        .await;
    // Some of them are refused at once; then the intake is full.
    let (reply, took) = timed(eventually(SOON, "an overload", || async {
        let reply = vote("turned away").await;
        (reply.code() == "OVERLOADED").then_some(reply)
    }))
    .await;
    let extensions = &reply.body["errors"][0]["extensions"];
    assert_eq!(
        (reply.status, &extensions["retryable"]),
        (200, &json!(true))
    );
    assert_eq!(reply.body["data"], Value::Null);
    assert!(took < Duration::from_secs(5), "{took:?}");
    // Questions are answered all the while.
    assert_eq!(server.client.tally("turned away").await, 0);
    gate.open(Operation::Publish, Moment::Before);
    let mut accepted = 0;
    for reply in waiting.drain(..) {
        let reply = reply.await.unwrap();
        match reply.code() {
            "" => accepted += 1,
            code => assert_eq!(code, "OVERLOADED"),
        }
    }
    assert!(accepted >= 1);
    assert_eq!(server.client.tally("waits").await, accepted);
}

#[tokio::test]
async fn a_log_that_is_down_is_unavailable_and_the_vote_does_not_count() {
    let (server, plan) = faulty().await;
    let ticket = server.client.ticket().await;
    plan.next(Operation::Publish, Fault::Refused);
    let reply = server.client.ask(VOTE, one_vote(&ticket, "a")).await;
    assert_eq!(
        (reply.status, reply.code()),
        (200, "UNAVAILABLE"),
        "{reply:?}"
    );
    assert_eq!(reply.body["errors"][0]["extensions"]["retryable"], true);
    assert_eq!(reply.body["errors"][0]["path"], json!(["vote"]));
    assert_eq!(server.client.tally("a").await, 0);
}

#[tokio::test]
async fn an_unknown_outcome_names_the_ballot_and_the_same_ballot_counts_once() {
    for (fault, before) in [(Fault::DoneOutcomeUnknown, 1), (Fault::Lost, 0)] {
        let (server, plan) = faulty().await;
        let client = &server.client;
        let ticket = client.ticket().await;
        plan.next(Operation::Publish, fault);
        let mut vote = one_vote(&ticket, "a");
        let reply = client.ask(VOTE, vote.clone()).await;
        assert_eq!(reply.code(), "OUTCOME_UNKNOWN", "{reply:?}");
        let extensions = &reply.body["errors"][0]["extensions"];
        assert_eq!(extensions["retryable"], true);
        eventually(SOON, "what the log has", || async {
            (client.tally("a").await == before).then_some(())
        })
        .await;
        vote["ballotId"] = extensions["ballotId"].clone();
        let result = client.vote(vote).await;
        assert_eq!(
            (&result["success"], &result["code"]),
            (&json!(true), &json!("DUPLICATE"))
        );
        eventually(SOON, "one vote", || async {
            (client.tally("a").await == 1).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_counter_that_is_down_makes_a_vote_stale_and_no_failure() {
    let (server, plan) = faulty().await;
    let ticket = server.client.ticket().await;
    plan.always(Operation::Record, Fault::Refused);
    let result = server.client.vote(one_vote(&ticket, "a")).await;
    assert_eq!(
        (&result["success"], &result["stale"]),
        (&json!(true), &json!(true)),
        "{result}"
    );
    plan.clear();
    eventually(SOON, "the reconciled vote", || async {
        (server.client.tally("a").await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_a_ticket_cas_says_so_and_readiness_names_it() {
    let plan = FaultPlan::quiet(Arc::new(SystemClock));
    let mut app = app_over(ports().intercepted(&plan));
    app.settings.tickets.period = Duration::from_millis(100);
    app.settings.tickets.ttl = Duration::from_millis(100);
    let server = Server::of(app).await;
    assert_eq!(server.client.get("/readyz").await.status, 200);
    plan.always(Operation::PublishTicket, Fault::Refused);
    let reply = eventually(SOON, "the last ticket's end", || async {
        let reply = server.client.ask("{ cas { ticket } }", Value::Null).await;
        (reply.code() == "NO_TICKET").then_some(reply)
    })
    .await;
    assert_eq!(reply.body["errors"][0]["extensions"]["retryable"], true);
    for path in ["/readyz", "/healthz"] {
        let reply = server.client.get(path).await;
        let text = reply.body.as_str().unwrap();
        assert_eq!(reply.status, 503, "{text}");
        assert!(
            text.contains("tickets: ") && !text.contains("log: "),
            "{text}"
        );
    }
    assert_eq!(server.client.get("/livez").await.status, 200);
    plan.clear();
    eventually(SOON, "a ticket", || async {
        (server.client.get("/readyz").await.status == 200).then_some(())
    })
    .await;
}

/// Redis reads and refuses writes where its disk is full, or where it is a replica.
#[tokio::test]
async fn a_start_that_fails_though_every_check_answers_says_which_call_fails() {
    let plan = FaultPlan::quiet(Arc::new(SystemClock));
    plan.always(Operation::PublishTicket, Fault::Refused);
    let app = app_over(ports().intercepted(&plan));
    let address = free_address().to_string();
    let client = Client::new(&format!("http://{address}"));
    let starting = tokio::spawn(async move { app.start(&address).await });
    let text = eventually(SOON, "what it waits for", || async {
        let request = client.http.get(format!("{}/readyz", client.url));
        let reply = client.try_send(request).await.ok()?;
        let text = reply.body.as_str().unwrap_or_default().to_owned();
        (reply.status == 503 && !text.contains("starting")).then_some(text)
    })
    .await;
    assert_eq!(text, "not ready\ntickets.publish: unavailable\n");
    plan.clear();
    assert!(starting.await.unwrap().is_ok());
}

#[tokio::test]
async fn every_path_has_a_deadline() {
    let gate = Gate::new();
    let mut app = app_over(ports().intercepted(&gate));
    app.settings.tallies.read_deadline = SOON * 5;
    app.http.request_deadline = Duration::from_millis(200);
    let server = Server::of(app).await;
    gate.close(Operation::Partitions, Moment::Before);
    let (reply, took) = timed(server.client.get("/readyz")).await;
    assert_eq!(
        (reply.status, reply.code()),
        (504, "UNAVAILABLE"),
        "{reply:?}"
    );
    assert!(took < SOON / 2, "{took:?}");
}

#[tokio::test]
async fn readiness_names_what_is_missing_and_what_it_can_do_without() {
    let (server, plan) = faulty().await;
    plan.always(Operation::Partitions, Fault::Refused);
    plan.always(Operation::Read, Fault::Refused);
    let reply = server.client.get("/readyz").await;
    let text = reply.body.as_str().unwrap();
    assert_eq!(reply.status, 503);
    assert!(
        text.contains("log: ") && text.contains("(needed)"),
        "{text}"
    );
    assert!(
        text.contains("counter: ") && text.contains("(not needed)"),
        "{text}"
    );
    plan.clear();
    plan.always(Operation::Read, Fault::Refused);
    assert_eq!(server.client.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_cut_off() {
    let gate = Gate::new();
    let mut app = app_over(ports().intercepted(&gate));
    app.settings.ingest.publish_deadline = SOON;
    app.http.request_deadline = Duration::from_millis(200);
    let server = Server::of(app).await;
    let ticket = server.client.ticket().await;
    gate.close(Operation::Publish, Moment::Before);
    let reply = server.client.ask(VOTE, one_vote(&ticket, "a")).await;
    assert_eq!(
        (reply.status, reply.code()),
        (504, "OUTCOME_UNKNOWN"),
        "{reply:?}"
    );
    let message = "No result in time: it is not known whether the ballot counts. If you sent a \
                   `ballotId`, send the same ballot again; without one it may count twice.";
    assert_eq!(reply.body["errors"][0]["message"], message, "{reply:?}");
    gate.open(Operation::Publish, Moment::Before);
    eventually(SOON, "the vote that counted all the same", || async {
        (server.client.tally("a").await == 1).then_some(())
    })
    .await;
}

/// A ticket source that cannot read its own data, once switched.
struct CorruptTickets {
    inner: Arc<dyn TicketSource>,
    is_corrupt: Arc<AtomicBool>,
}

impl CorruptTickets {
    fn check(&self) -> Result<(), PortError> {
        if self.is_corrupt.load(Ordering::Relaxed) {
            let why = "the server at 10.0.0.7 has the password hunter2";
            return Err(PortError::corrupt("reading a ticket", why));
        }
        Ok(())
    }
}

#[async_trait]
impl ForwardingTicketSource for CorruptTickets {
    fn inner(&self) -> &dyn TicketSource {
        &*self.inner
    }

    async fn current(&self) -> Result<Option<CurrentTicket>, PortError> {
        self.check()?;
        self.inner.current().await
    }

    async fn redeem(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, PortError> {
        self.check()?;
        self.inner.redeem(ticket, claims).await
    }
}

#[tokio::test]
async fn an_internal_error_is_masked_behind_the_request_id() {
    let ports = ports();
    let is_corrupt = Arc::new(AtomicBool::new(false));
    let tickets = Arc::new(CorruptTickets {
        inner: Arc::clone(&ports.tickets),
        is_corrupt: Arc::clone(&is_corrupt),
    });
    let server = Server::of(app_over(Ports { tickets, ..ports })).await;
    let ticket = server.client.ticket().await;
    is_corrupt.store(true, Ordering::Relaxed);
    let cas = server.client.ask("{ cas { ticket } }", Value::Null).await;
    let vote = server.client.ask(VOTE, one_vote(&ticket, "a")).await;
    for reply in [cas, vote] {
        assert_eq!(reply.code(), "INTERNAL_SERVER_ERROR", "{reply:?}");
        let error = &reply.body["errors"][0];
        assert_eq!(error["message"], "Internal error");
        assert_eq!(error["extensions"]["retryable"], false);
        assert_eq!(
            error["extensions"]["requestId"],
            reply.header("x-request-id")
        );
        assert!(!reply.body.to_string().contains("10.0.0.7"), "{reply:?}");
    }
    let health = server.client.get("/healthz").await;
    assert!(!health.body.to_string().contains("10.0.0.7"), "{health:?}");
}

/// A ticket source that panics when it is asked for a ticket to vote with.
struct PanickingTickets(Arc<dyn TicketSource>);

#[async_trait]
impl ForwardingTicketSource for PanickingTickets {
    fn inner(&self) -> &dyn TicketSource {
        &*self.0
    }

    async fn current(&self) -> Result<Option<CurrentTicket>, PortError> {
        panic!("a test panics at 10.0.0.7");
    }
}

#[tokio::test]
async fn a_request_that_panics_is_answered_under_the_id_that_the_log_has() {
    let log = Log::default();
    // This test has one thread, so that the server's tasks log there too.
    let _guard = log.capture();
    let ports = ports();
    let tickets = Arc::new(PanickingTickets(Arc::clone(&ports.tickets)));
    let server = Server::of(app_over(Ports { tickets, ..ports })).await;
    let reply = server.client.ask("{ cas { ticket } }", Value::Null).await;
    assert_eq!(
        (reply.status, reply.code()),
        (500, "INTERNAL_SERVER_ERROR"),
        "{reply:?}"
    );
    let id = reply.header("x-request-id");
    assert_eq!(id.len(), 32, "{reply:?}");
    assert_eq!(reply.body["errors"][0]["extensions"]["requestId"], id);
    assert!(!reply.body.to_string().contains("10.0.0.7"), "{reply:?}");
    let log = log.text();
    let line = log.lines().find(|line| line.contains("panicked"));
    assert!(line.is_some_and(|line| line.contains(id)), "{id} {log}");
    // The connection's next request is answered.
    assert_eq!(server.client.tally("a").await, 0);
}
