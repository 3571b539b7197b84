//! The roles of a deployment whose servers are down, and what a health check says of them.

use cast_testkit::servers::free_address;

use crate::{
    program::process::Ended,
    support::{Client, Process, SOON, health, program, refused, run},
};

const RING: &str = "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Settings of URLs where nothing listens.
const UNREACHABLE: [&str; 8] = [
    "--tickets-url",
    "redis://127.0.0.1:1",
    "--counter-url",
    "redis://127.0.0.1:1",
    "--bus-url",
    "kafka://127.0.0.1:1/votes",
    "--store-url",
    "postgres://127.0.0.1:1/cast",
];

#[tokio::test]
async fn roles_that_check_tickets_refuse_to_start_without_a_key_ring() {
    let api: Vec<_> = ["api"].into_iter().chain(UNREACHABLE).collect();
    let generator: Vec<_> = ["ticket-generator"]
        .into_iter()
        .chain(UNREACHABLE[..2].iter().copied())
        .collect();
    for args in [api, generator] {
        let said = refused(&args).await;
        assert!(said.contains("ticket-secret-file"), "{said}");
    }
}

/// Starts a role whose servers are down: what its `/readyz` says, and how it ends on SIGTERM.
async fn waits(role: &str, args: &[&str]) -> (String, Ended) {
    let address = free_address().to_string();
    let mut command = program(&[role, "--listen", &address]);
    command.args(args).env("CAST_TICKET_SECRET", RING);
    let process = Process::launch(command);
    let client = Client::new(&format!("http://{address}"));
    let said = cast_testkit::eventually(SOON, "what it waits for", || async {
        let probe = |path: &str| client.http.get(format!("{}{path}", client.url)).send();
        let live = probe("/livez").await.ok()?;
        assert_eq!(live.status(), 200);
        let ready = probe("/readyz").await.ok()?;
        assert_eq!(ready.status(), 503);
        let text = ready.text().await.ok()?;
        // The servers are named once they have been checked.
        (!text.contains("starting")).then_some(text)
    })
    .await;
    let metrics = client.get("/metrics").await;
    assert_eq!(metrics.status, 200, "{metrics:?}");
    let unavailable = metrics.body.as_str().unwrap_or_default().lines();
    let failed = unavailable.filter(|line| line.contains("outcome=\"unavailable\""));
    assert!(failed.clone().any(|line| !line.ends_with(" 0")), "{role}");
    if role == "api" {
        let reply = client
            .ask("{ cas { ticket } }", serde_json::json!({}))
            .await;
        assert_eq!(
            (reply.status, reply.code()),
            (503, "UNAVAILABLE"),
            "{reply:?}"
        );
    }
    process.signal("TERM").await;
    (said, process.ended().await)
}

#[tokio::test]
async fn a_role_waits_for_its_servers_is_live_and_names_those_that_are_missing() {
    let (tickets, all) = (&UNREACHABLE[..2], &UNREACHABLE[..]);
    let ((generator, g), (consumer, c), (api, a)) = tokio::join!(
        waits("ticket-generator", tickets),
        waits("vote-consumer", &UNREACHABLE[2..]),
        waits("api", all),
    );
    let (redis, kafka) = ("redis://127.0.0.1:1", "kafka://127.0.0.1:1");
    let store = "store (postgres://127.0.0.1:1): ";
    let tickets = format!("tickets ({redis}): ");
    let (log, counter) = (format!("log ({kafka}): "), format!("counter ({redis}): "));
    assert!(generator.contains(&tickets), "{generator}");
    for line in [&log, &counter, store] {
        assert!(consumer.contains(line), "{consumer}");
    }
    for line in [&tickets, &log, &counter, store] {
        assert!(api.contains(line), "{api}");
    }
    for ended in [g, c, a] {
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("waiting"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn migrate_gives_up_on_a_server_that_does_not_come() {
    let args = ["migrate", "--store-url", UNREACHABLE[7], "--wait", "300ms"];
    let (code, stdout, stderr) = run(program(&args)).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    let words = [
        "error: --store-url postgres://127.0.0.1:1: ",
        "migrating the store",
    ];
    assert!(words.iter().all(|it| stderr.contains(it)), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[tokio::test]
async fn a_server_that_waits_is_a_failure_that_names_what_it_waits_for() {
    let address = free_address().to_string();
    let mut command = program(&["vote-consumer", "--listen", &address]);
    command.args(&UNREACHABLE[2..]);
    let _process = Process::launch(command);
    let ready = format!("http://{address}/readyz");
    until_live(&address).await;
    cast_testkit::eventually(SOON, "the names of what is missing", || async {
        let (code, stdout, stderr) = health(&["--url", &ready]).await;
        assert_eq!((code, &*stdout), (Some(1), ""));
        let head = format!("error: {ready}: not ready\n");
        assert!(stderr.starts_with(&head), "{stderr}");
        let servers = [
            "log (kafka://127.0.0.1:1)",
            "store (postgres://127.0.0.1:1)",
        ];
        servers
            .iter()
            .all(|name| stderr.contains(name))
            .then_some(())
    })
    .await;
}

async fn until_live(address: &str) {
    let url = format!("http://{address}/livez");
    cast_testkit::eventually(SOON, "life", || async {
        (health(&["--url", &url]).await.0 == Some(0)).then_some(())
    })
    .await;
}

/// The image's health check is `health --live`: it must not fail while another server is away.
#[tokio::test]
async fn a_role_that_waits_is_live_and_not_ready() {
    for (role, urls) in [
        ("vote-consumer", &UNREACHABLE[2..]),
        ("ticket-generator", &UNREACHABLE[..2]),
    ] {
        let address = free_address().to_string();
        let mut command = program(&[role]);
        command.args(urls).env("CAST_TICKET_SECRET", RING);
        command.env("CAST_LISTEN", &address);
        let _process = Process::launch(command);
        until_live(&address).await;
        for (args, code) in [(&["health", "--live"][..], 0), (&["health"], 1)] {
            let mut command = program(args);
            command.env("CAST_LISTEN", &address);
            let ended = run(command).await;
            assert_eq!(ended.0, Some(code), "{role} {args:?} {ended:?}");
        }
    }
}
