//! Servers that keep their promises: rates, tickets, retries, several servers, signals.

use cast_adapters::system::SystemEntropy;
use cast_core::domain::KeyRing;
use serde_json::{Value, json};

use super::{MANY_USES, bench, number, sum, until_voted};
use crate::support::{Process, SOON, Server, app_over, ports, program, run};

#[tokio::test]
async fn a_server_that_keeps_its_promises_passes() {
    let server = Process::serve(&MANY_USES).await;
    let args = ["--duration", "1s", "--candidates", "7", "--seed", "42"];
    let (code, object) = bench(&server.url(), &args).await;
    assert_eq!(code, Some(0), "{object}");
    assert_eq!(
        (&object["verdict"], &object["seed"]),
        (&json!("exact"), &json!(42))
    );
    let accepted = number(&object, "accepted");
    assert!(accepted > 0, "{object}");
    let answered =
        accepted + sum(&object["refused"]) + sum(&object["faults"]) + sum(&object["unknown"]);
    assert_eq!(answered, number(&object, "sent"));
    // What it reports as counted was counted.
    let client = server.client();
    let mut shown = 0;
    for n in 0..7 {
        let name = format!("bench-{:016x}-{n}", 42);
        shown += u64::try_from(client.tally(&name).await).unwrap();
    }
    assert_eq!(shown, accepted);
    let latency = &object["latency_ms"];
    let at = |name: &str| latency[name].as_f64().unwrap();
    assert!(0.0 < at("p50") && at("p50") <= at("p99"), "{latency}");
    assert!(
        at("p99") <= at("p99_9") && at("p99_9") <= at("max"),
        "{latency}"
    );
}

#[tokio::test]
async fn a_second_run_with_the_same_seed_expects_the_votes_of_the_first() {
    let server = Process::serve(&MANY_USES).await;
    let args = ["--duration", "300ms", "--seed", "7", "--candidates", "2"];
    assert_eq!(bench(&server.url(), &args).await.0, Some(0));
    let (code, object) = bench(&server.url(), &args).await;
    assert_eq!(code, Some(0), "{object}");
    assert!(
        object["notes"].to_string().contains("had votes before"),
        "{object}"
    );
}

#[tokio::test]
async fn retries_are_duplicates_and_count_once() {
    let server = Server::start().await;
    let args = ["--duration", "500ms", "--retry-fraction", "1"];
    let (code, object) = bench(&server.client.url, &args).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(0), &json!("exact")),
        "{object}"
    );
    let retries = &object["retries"];
    assert!(number(retries, "sent") > 0, "{object}");
    assert_eq!(retries["duplicate"], retries["sent"]);
    assert_eq!(retries["sent"], object["accepted"]);
}

#[tokio::test]
async fn without_ids_votes_count_as_well() {
    let server = Server::start().await;
    let args = ["--duration", "300ms", "--no-ballot-ids"];
    let (code, object) = bench(&server.client.url, &args).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(0), &json!("exact")),
        "{object}"
    );
    assert_eq!(object["retries"]["sent"], 0);
}

#[tokio::test]
async fn tickets_that_are_used_up_are_waited_for_and_reported() {
    let server = Process::serve(&["--ticket-uses", "5"]).await;
    let (code, object) = bench(&server.url(), &["--duration", "1s"]).await;
    assert_eq!(code, Some(0), "{object}");
    let tickets = number(&object["tickets"], "seen");
    assert!(number(&object, "accepted") <= 5 * tickets, "{object}");
    // Each connection finds out once a ticket, at most.
    let refused = object["refused"]["TICKET_EXHAUSTED"].as_u64().unwrap();
    assert!((1..=4 * tickets).contains(&refused), "{object}");
    let notes = object["notes"].to_string();
    assert!(
        notes.contains("5 uses each allow") && notes.contains("--ticket-uses"),
        "{notes}"
    );
}

#[tokio::test]
async fn refusals_are_measured_if_that_is_asked_for() {
    let server = Process::serve(&["--ticket-uses", "5"]).await;
    let args = ["--duration", "1s", "--keep-voting"];
    let (code, object) = bench(&server.url(), &args).await;
    assert_eq!(code, Some(0), "{object}");
    assert!(
        object["refused"]["TICKET_EXHAUSTED"].as_u64() > Some(20),
        "{object}"
    );
}

#[tokio::test]
async fn the_servers_of_one_deployment_are_driven_and_checked_together() {
    let (ports, keys) = (ports(), KeyRing::generate(&SystemEntropy));
    let mut servers = Vec::new();
    for _ in 0..2 {
        let mut app = app_over(ports.clone());
        app.keys = keys.clone();
        servers.push(Server::of(app).await);
    }
    let urls: Vec<_> = servers.iter().map(|it| &*it.client.url).collect();
    let (code, object) = bench(&urls.join(","), &["--duration", "500ms"]).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(0), &json!("exact")),
        "{object}"
    );
    assert_eq!(object["urls"], json!(urls));
}

#[tokio::test]
async fn servers_of_two_deployments_do_not_show_each_others_votes() {
    let (one, other) = (Server::start().await, Server::start().await);
    let urls = format!("{},{}", one.client.url, other.client.url);
    let args = ["--duration", "500ms", "--reconcile-timeout", "300ms"];
    let (code, object) = bench(&urls, &args).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(3), &json!("missing")),
        "{object}"
    );
    assert_eq!(object["missing"][0]["url"], json!(other.client.url));
    assert!(
        object["notes"].to_string().contains("ticket-secret"),
        "{object}"
    );
}

#[tokio::test]
async fn a_rate_is_kept() {
    let server = Server::start().await;
    let args = ["--duration", "1s", "--rate", "50"];
    let (code, object) = bench(&server.client.url, &args).await;
    assert_eq!(code, Some(0), "{object}");
    let due = number(&object, "sent") + number(&object, "not_begun");
    // A vote that falls due while the run ends may still begin.
    assert!((50..=54).contains(&due), "{object}");
}

#[tokio::test]
async fn a_signal_ends_the_load_early_and_the_check_is_made() {
    let server = Process::serve(&MANY_USES).await;
    let url = server.url();
    let args = [
        "bench",
        "--url",
        &url,
        "--duration",
        "1h",
        "--json",
        "--connections",
        "2",
    ];
    let mut command = program(&args);
    let child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    until_voted(&server.client()).await;
    let pid = child.id().unwrap().to_string();
    let (code, _, _) = run({
        let mut kill = tokio::process::Command::new("kill");
        kill.args(["-s", "INT", &pid]);
        kill
    })
    .await;
    assert_eq!(code, Some(0));
    let output = tokio::time::timeout(SOON, child.wait_with_output()).await;
    let output = output.expect("it ends").unwrap();
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{object}");
    assert_eq!(
        (&object["interrupted"], &object["verdict"]),
        (&json!(true), &json!("exact"))
    );
}
