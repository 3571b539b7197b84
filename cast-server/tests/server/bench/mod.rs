//! `bench`, the real program: against real servers, and against such that lie.

mod liar;

use cast_adapters::system::SystemEntropy;
use cast_core::domain::KeyRing;
use serde_json::{Value, json};

use self::liar::{Liar, Lie};
use crate::support::{Client, Process, SOON, Server, app_over, ports, program, run};

/// Tickets that bound nothing.
const MANY_USES: [&str; 2] = ["--ticket-uses", "1000000"];

/// Runs `bench --json`: its exit code and its object. It says nothing else.
async fn bench(urls: &str, args: &[&str]) -> (Option<i32>, Value) {
    let mut all = vec!["bench", "--url", urls, "--json", "--connections", "4"];
    all.extend(args);
    let (code, stdout, stderr) = run(program(&all)).await;
    assert_eq!(stderr, "", "no progress without a terminal: {stdout}");
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    let object: Value = serde_json::from_str(&stdout).expect("one JSON object");
    assert_eq!(object["exit_code"].as_i64(), code.map(i64::from));
    (code, object)
}

fn number(object: &Value, name: &str) -> u64 {
    object[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} in {object}"))
}

fn sum(codes: &Value) -> u64 {
    let codes = codes.as_object().expect("an object");
    codes.values().map(|count| count.as_u64().unwrap()).sum()
}

/// Waits until somebody has votes.
async fn until_voted(client: &Client) {
    cast_testkit::eventually(SOON, "votes", || async {
        let data = client
            .data("{ leaderboard(first: 1) { votes } }", json!({}))
            .await;
        (data["leaderboard"][0]["votes"].as_u64()? > 0).then_some(())
    })
    .await;
}

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
    let told =
        accepted + sum(&object["refused"]) + sum(&object["faults"]) + sum(&object["unknown"]);
    assert_eq!(told, number(&object, "sent"));
    // What it says was counted was.
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

/// Runs against a liar, and waits no longer than must be for what never comes.
async fn lied_to(lie: Lie) -> (Option<i32>, Value) {
    let liar = Liar::start(lie).await;
    let reconcile_timeout = match lie {
        Lie::ForgetsOne | Lie::CountsOneTwice | Lie::NeverTells => "500ms",
        _ => "10s",
    };
    let args = [
        "--duration",
        "300ms",
        "--candidates",
        "3",
        "--reconcile-timeout",
        reconcile_timeout,
        "--seed",
        "1",
    ];
    bench(&liar.url, &args).await
}

#[tokio::test]
async fn an_honest_small_server_passes() {
    let (code, object) = lied_to(Lie::Never).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(0), &json!("exact")),
        "{object}"
    );
}

#[tokio::test]
async fn tallies_that_show_late_are_waited_for() {
    let (code, object) = lied_to(Lie::ShowsLate).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(0), &json!("exact")),
        "{object}"
    );
}

#[tokio::test]
async fn a_vote_that_was_acknowledged_and_not_counted_is_found_and_named() {
    let (code, object) = lied_to(Lie::ForgetsOne).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(3), &json!("missing")),
        "{object}"
    );
    let [missing] = &object["missing"].as_array().unwrap()[..] else {
        panic!("one candidate: {object}");
    };
    let name = missing["candidate"].as_str().unwrap();
    assert!(name.starts_with("bench-0000000000000001-"), "{name}");
    assert_eq!(
        number(missing, "shown") + 1,
        number(missing, "expected_min")
    );
    // The ballot, too.
    let lost = &object["lost_ballots"];
    assert_eq!(lost.as_array().map(Vec::len), Some(1), "{object}");
    assert_eq!(lost[0]["candidate"], missing["candidate"]);
    assert_eq!(lost[0]["fate"], Value::Null);
}

#[tokio::test]
async fn a_vote_that_was_counted_twice_is_found_and_named() {
    let (code, object) = lied_to(Lie::CountsOneTwice).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(3), &json!("doubled")),
        "{object}"
    );
    let doubled = object["doubled"].as_array().unwrap();
    assert_eq!(doubled.len(), 1, "{object}");
    assert_eq!(
        number(&doubled[0], "shown"),
        number(&doubled[0], "expected_max") + 1
    );
}

#[tokio::test]
async fn a_ticket_that_buys_too_much_is_found() {
    let (code, object) = lied_to(Lie::SellsTooMuch).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(3), &json!("oversold")),
        "{object}"
    );
    assert_eq!(object["oversold_tickets"][0]["uses"], 3);
}

#[tokio::test]
async fn votes_without_an_answer_are_sent_again_until_their_fate_is_known() {
    for lie in [Lie::HidesOutcomes, Lie::HangsUp] {
        let (code, object) = lied_to(lie).await;
        assert_eq!(
            (code, &object["verdict"]),
            (Some(0), &json!("exact")),
            "{object}"
        );
        let unknown = sum(&object["unknown"]);
        assert!(unknown > 0, "{object}");
        assert_eq!(number(&object, "unknown_resolved"), unknown);
        assert_eq!(number(&object, "unknown_open"), 0);
        let code = match lie {
            Lie::HangsUp => "CONNECTION_BROKEN",
            _ => "OUTCOME_UNKNOWN",
        };
        assert!(object["unknown"][code].is_u64(), "{object}");
    }
}

#[tokio::test]
async fn what_stays_unknown_is_no_proof() {
    let (code, object) = lied_to(Lie::NeverTells).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(1), &json!("unproven")),
        "{object}"
    );
    assert!(number(&object, "unknown_open") > 0);
}

#[tokio::test]
async fn a_run_in_which_nothing_was_accepted_fails() {
    let (code, object) = lied_to(Lie::RefusesAll).await;
    assert_eq!(code, Some(1), "{object}");
    assert_eq!(
        (number(&object, "accepted"), &object["latency_ms"]),
        (0, &Value::Null)
    );
    assert!(
        object["faults"]["OVERLOADED"].as_u64() > Some(0),
        "{object}"
    );
}

#[tokio::test]
async fn a_server_that_is_killed_and_forgets_is_found_out_and_the_run_goes_on() {
    let server = Process::serve(&MANY_USES).await;
    let (url, client) = (server.url(), server.client());
    let running = tokio::spawn({
        let url = url.clone();
        async move {
            let args = [
                "--duration",
                "4s",
                "--candidates",
                "3",
                "--reconcile-timeout",
                "1s",
            ];
            bench(&url, &args).await
        }
    });
    until_voted(&client).await;
    server.signal("KILL").await;
    server.ended().await;
    let listen = url.trim_start_matches("http://");
    // Nobody else is likely to take the port, but its connections must be gone.
    let second = cast_testkit::eventually(SOON, "the port", || async {
        let mut command = program(&["serve", "--listen", listen, "--log", "error"]);
        command.args(MANY_USES);
        Process::try_start(command).await
    })
    .await;
    until_voted(&second.client()).await;
    let (code, object) = running.await.unwrap();
    assert_eq!(
        (code, &object["verdict"]),
        (Some(3), &json!("missing")),
        "{object}"
    );
    assert_eq!(number(&object, "unknown_open"), 0, "{object}");
    // What was accepted by the second is there.
    assert!(
        object["missing"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| number(it, "shown") > 0)
    );
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

#[tokio::test]
async fn people_get_a_table() {
    let server = Process::serve(&[
        "--ticket-uses",
        "5",
        "--ticket-period",
        "1h",
        "--ticket-ttl",
        "2h",
    ])
    .await;
    let url = server.url();
    let (code, stdout, stderr) =
        run(program(&["bench", "--url", &url, "--duration", "300ms"])).await;
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
    for words in [
        url.as_str(),
        "--seed",
        "accepted     5 (",
        "TICKET_EXHAUSTED",
        "p99.9",
        "all 5 accepted votes show, each once",
        "tickets were used up",
    ] {
        assert!(stdout.contains(words), "{words:?} is not in {stdout}");
    }
}

#[tokio::test]
async fn wrong_usage_is_told_and_ends_with_2() {
    const URL: [&str; 2] = ["--url", "http://127.0.0.1:1"];
    for (args, words) in [
        (&[][..], "--url <URL>"),
        (&["--url", "https://h"], "TLS"),
        (&["--url", "127.0.0.1:8000"], "http://HOST:PORT"),
        (&[URL[0], URL[1], "--connections", "0"], "--connections"),
        (&[URL[0], URL[1], "--duration", "0s"], "longer than nothing"),
        (&[URL[0], URL[1], "--duration", "10"], "2s, 500ms"),
        (&[URL[0], URL[1], "--candidates", "0"], "--candidates"),
        (&[URL[0], URL[1], "--retry-fraction", "1.5"], "from 0 to 1"),
        (
            &[URL[0], URL[1], "--retry-fraction", "1", "--no-ballot-ids"],
            "--no-ballot-ids",
        ),
        (&[URL[0], URL[1], "--rate", "0"], "--rate"),
        (&[URL[0], URL[1], "--conections", "1"], "--connections"),
    ] {
        let (code, stdout, stderr) = run(program(&[&["bench"], args].concat())).await;
        assert_eq!((code, &*stdout), (Some(2), ""), "{args:?}");
        assert!(stderr.contains(words), "{words:?} is not in {stderr}");
    }
}

#[tokio::test]
async fn a_url_without_a_cast_behind_it_is_named_and_ends_with_1() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let gone = format!("http://{address}");
    let server = Server::start().await;
    let elsewhere = format!("{}/elsewhere", server.client.url);
    for (url, words) in [
        (&gone, "refused"),
        (&elsewhere, "There is nothing at this path"),
    ] {
        // The first of two is fine.
        let urls = format!("{},{url}", server.client.url);
        let (code, stdout, stderr) = run(program(&["bench", "--url", &urls])).await;
        assert_eq!((code, &*stdout), (Some(1), ""));
        for words in [url, words, "cast-server serve"] {
            assert!(stderr.contains(words), "{words:?} is not in {stderr}");
        }
    }
}

#[tokio::test]
async fn its_flags_are_no_settings() {
    let mut command = program(&["bench", "--url", "http://127.0.0.1:1"]);
    command.env("CAST_CONNECTIONS", "1");
    let (code, _, stderr) = run(command).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("CAST_CONNECTIONS"), "{stderr}");
    let (code, help, _) = run(program(&["bench", "--help"])).await;
    assert_eq!(code, Some(0));
    assert!(
        help.contains("--retry-fraction") && !help.contains("CAST_RETRY"),
        "{help}"
    );
}
