//! `/metrics`: what it shows, what it never shows, and that the docs say the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cast_adapters::system::SystemClock;
use cast_core::Ports;
use cast_testkit::{
    eventually,
    faults::{Fault, FaultPlan, Operation},
};
use serde_json::json;
use uuid::Uuid;

use crate::support::{SOON, Server, VOTE, app_over, one_vote, ports, program, run};

/// What `/metrics` says.
#[derive(Clone, Debug, Default)]
struct Scrape {
    text: String,
    /// By name and labels, as they stand there.
    series: BTreeMap<String, f64>,
}

impl Scrape {
    fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| line.rsplit_once(' '));
        let value = |(series, value): (&str, &str)| (series.to_owned(), value.parse().unwrap());
        Self {
            text: text.to_owned(),
            series: series.map(value).collect(),
        }
    }

    /// The value of a series; nothing if it is not there.
    fn value(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// Each metric with its type and its labels.
    fn metrics(&self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let types = self.text.lines().filter_map(|line| {
            let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            Some((name.to_owned(), (kind.to_owned(), BTreeSet::new())))
        });
        let mut metrics: BTreeMap<_, _> = types.collect();
        for series in self.series.keys() {
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let suffixes = ["", "_bucket", "_sum", "_count"];
            let mut whole = suffixes.iter().filter_map(|end| name.strip_suffix(end));
            let known = whole.find(|name| metrics.contains_key(*name));
            let known = known.unwrap_or_else(|| panic!("{series} has no type"));
            let (_, known) = metrics.get_mut(known).unwrap();
            let labels = labels.trim_end_matches('}').split("\",");
            let names = labels.filter_map(|label| label.split_once('='));
            known.extend(names.map(|(name, _)| name.to_owned()).filter(|l| l != "le"));
        }
        metrics
    }
}

impl Server {
    async fn scrape(&self) -> Scrape {
        let reply = self.client.get("/metrics").await;
        assert_eq!(reply.status, 200);
        let format = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(reply.header("content-type"), format);
        Scrape::read(reply.body.as_str().unwrap())
    }

    /// Waits for an answer that is as it should be.
    async fn until_scraped(&self, what: &str, is_so: impl Fn(&Scrape) -> bool) -> Scrape {
        eventually(SOON, what, || async {
            let scrape = self.scrape().await;
            is_so(&scrape).then_some(scrape)
        })
        .await
    }

    /// Waits until all these series have these values.
    async fn until_values(&self, expected: &[(&str, f64)]) {
        let what = format!("{expected:?}");
        let is_so = |scrape: &Scrape| {
            let mut all = expected.iter();
            all.all(|(series, value)| scrape.value(series) == Some(*value))
        };
        self.until_scraped(&what, is_so).await;
    }
}

/// A server that looks often.
async fn server_over(ports: Ports) -> Server {
    let mut app = app_over(ports);
    app.telemetry.metrics_interval = Duration::from_millis(10);
    Server::of(app).await
}

/// What is in a file of the repository.
fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path: PathBuf = root.join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the docs say there is: names, types, labels.
fn table() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let docs = file("docs/METRICS.md");
    let rows = docs.lines().filter(|line| line.starts_with("| `cast_"));
    let row = |row: &str| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let kind = cells[2].split(',').next().unwrap().to_owned();
        let labels = cells[3].split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned());
        let name = cells[1].trim_matches('`').to_owned();
        (name, (kind, labels.collect()))
    };
    rows.map(row).collect()
}

#[tokio::test]
async fn the_table_of_metrics_is_what_a_server_shows() {
    let server = server_over(ports()).await;
    let ticket = server.client.ticket().await;
    server.client.vote(one_vote(&ticket, "ada")).await;
    let table = table();
    assert!(table.len() > 20, "{table:#?}");
    // The last of what has to be asked for.
    let asked = |scrape: &Scrape| scrape.value("cast_store_read_timestamp_seconds") > Some(0.0);
    let scrape = server.until_scraped("an answer", asked).await;
    assert_eq!(scrape.metrics(), table);
    for name in table.keys() {
        assert!(scrape.text.contains(&format!("# HELP {name} ")), "{name}");
    }
}

/// Names that begin as metrics do.
fn named_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("cast_")).collect()
}

#[test]
fn rules_and_dashboard_name_metrics_that_exist() {
    let table = table();
    let dashboard = file("k8s/monitoring/dashboard.json");
    let panels: serde_json::Value = serde_json::from_str(&dashboard).expect("it is JSON");
    assert!(panels["panels"].as_array().unwrap().len() > 10);
    for text in [file("k8s/monitoring/rules.yaml"), dashboard] {
        let names = named_in(&text);
        assert!(names.len() > 5, "{names:?}");
        for name in names {
            let suffixes = ["", "_bucket", "_sum", "_count"];
            let mut whole = suffixes.iter().filter_map(|end| name.strip_suffix(end));
            assert!(whole.any(|name| table.contains_key(name)), "{name}");
        }
    }
}

#[tokio::test]
async fn voters_and_candidates_make_no_series() {
    let server = server_over(ports()).await;
    let ticket = server.client.ticket().await;
    let vote = |round: usize| {
        let names: Vec<_> = (0..16)
            .map(|n| format!("somebody-{}", round * 16 + n))
            .collect();
        let (client, ticket) = (server.client.clone(), ticket.clone());
        async move {
            let vote = json!({
                "ticket": ticket, "usernames": names, "voteCount": vec![1; 16],
                "voterUsername": format!("voter-{round}"), "ballotId": Uuid::from_u128(round as u128 + 1),
            });
            let answer = client.vote(vote).await;
            assert_eq!(answer["code"], "ACCEPTED", "{answer}");
        }
    };
    vote(0).await;
    server.client.get("/somewhere").await;
    let counted = |votes: f64| {
        move |scrape: &Scrape| {
            scrape.value("cast_fold_ballots_total{result=\"counted\"}") == Some(votes)
        }
    };
    server.until_scraped("one vote", counted(1.0)).await;
    // What is only asked for now and then has been by now, and so has a tally that heals.
    let series = |scrape: &Scrape| scrape.series.keys().cloned().collect::<BTreeSet<_>>();
    let reconciled = |scrape: &Scrape| {
        let operations = ["log\",operation=\"lag", "store\",operation=\"progress"];
        let is_there =
            |operation: &&str| scrape.text.contains(&format!("_count{{port=\"{operation}"));
        operations.iter().all(is_there)
    };
    let before = series(&server.until_scraped("what is asked for", reconciled).await);

    for rounds in (1..=200).collect::<Vec<_>>().chunks(20) {
        futures_util::future::join_all(rounds.iter().map(|round| vote(*round))).await;
        server.client.get(&format!("/{}", rounds[0])).await;
    }
    let after = server.until_scraped("all votes", counted(201.0)).await;
    assert_eq!(series(&after), before, "3,200 names, 200 voters, and paths");
    for secret in ["somebody", "voter-", "somewhere", &ticket] {
        assert!(!after.text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn each_vote_is_counted_by_what_its_voter_was_told() {
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
async fn a_vote_whose_answer_nobody_waits_for_is_counted_as_unanswered() {
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
        // Its deadline passed: whoever waited let go of it.
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
async fn a_store_that_does_not_follow_grows_old_until_it_does() {
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
    // Also while nobody can be asked.
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
async fn a_ticket_that_is_not_there_shows() {
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
async fn connections_are_counted_while_they_are_open_and_when_there_is_no_place() {
    let mut app = app_over(ports());
    app.http.max_connections = 3;
    let server = Server::of(app).await;
    // The client keeps its own.
    server.until_values(&[("cast_http_connections", 1.0)]).await;
    let held = [server.connect().await, server.connect().await];
    server.until_values(&[("cast_http_connections", 3.0)]).await;
    let mut third = server.connect().await;
    let told = crate::support::raw(&mut third, b"").await;
    assert!(told.starts_with("HTTP/1.1 503"), "{told}");
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

#[tokio::test]
async fn metrics_are_read_and_not_written() {
    let server = Server::start().await;
    let url = format!("{}/metrics", server.client.url);
    let reply = server.client.send(server.client.http.post(&url)).await;
    assert_eq!((reply.status, reply.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn an_interval_is_a_duration() {
    let (code, _, said) = run(program(&["serve", "--metrics-interval", "soon"])).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("metrics-interval"), "{said}");
}
