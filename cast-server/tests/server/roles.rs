//! The roles of a deployment, before their servers are up.

use tokio::net::TcpListener;

use crate::support::{Client, Ended, Process, SOON, program, run};

const RING: &str = "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// An address of this machine where nothing listens.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Runs a role, which must refuse to start; its error.
async fn refused(args: &[&str]) -> String {
    let (code, stdout, stderr) = run(program(args)).await;
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
    stderr
}

#[tokio::test]
async fn roles_of_a_deployment_refuse_servers_in_memory() {
    let (tickets, counter) = ("--tickets-url", "--counter-url");
    let (bus, store) = ("--bus-url", "--store-url");
    for (role, needed) in [
        ("api", &[tickets, counter, bus, store][..]),
        ("ticket-generator", &[tickets]),
        ("vote-consumer", &[counter, bus, store]),
    ] {
        let said = refused(&[role]).await;
        assert!(said.contains(role), "{said}");
        for flag in [tickets, counter, bus, store] {
            assert_eq!(said.contains(flag), needed.contains(&flag), "{flag} {said}");
        }
    }
    let half = [
        "api",
        "--tickets-url",
        "redis://127.0.0.1:1",
        "--counter-url",
        "redis://127.0.0.1:1",
    ];
    assert!(refused(&half).await.contains("bus-url"));
    assert!(refused(&["migrate"]).await.contains("--store-url"));
    let audit = refused(&["audit"]).await;
    for flag in ["--counter-url", "--bus-url", "--store-url"] {
        assert!(audit.contains(flag), "{audit}");
    }
}

#[cfg(all(feature = "redis", feature = "kafka", feature = "postgres"))]
const EVERYWHERE: [&str; 8] = [
    "--tickets-url",
    "redis://127.0.0.1:1",
    "--counter-url",
    "redis://127.0.0.1:1",
    "--bus-url",
    "kafka://127.0.0.1:1/votes",
    "--store-url",
    "postgres://127.0.0.1:1/cast",
];

#[cfg(all(feature = "redis", feature = "kafka", feature = "postgres"))]
#[tokio::test]
async fn roles_that_check_tickets_refuse_to_start_without_a_key_ring() {
    let api: Vec<_> = ["api"].into_iter().chain(EVERYWHERE).collect();
    let generator: Vec<_> = ["ticket-generator"]
        .into_iter()
        .chain(EVERYWHERE[..2].iter().copied())
        .collect();
    for args in [api, generator] {
        let said = refused(&args).await;
        assert!(said.contains("ticket-secret-file"), "{said}");
    }
}

#[tokio::test]
async fn a_url_without_an_adapter_is_refused_without_showing_it() {
    for (setting, url) in [
        ("--tickets-url", "kafka://:hunter2@127.0.0.1:1/votes"),
        ("--tickets-url", "redis+sentinel://:hunter2@127.0.0.1:1"),
        ("--counter-url", "memcached://:hunter2@127.0.0.1:1"),
        ("--bus-url", "redis://:hunter2@127.0.0.1:1"),
        ("--store-url", "mysql://:hunter2@127.0.0.1:1"),
        ("--store-url", ":hunter2@127.0.0.1:1"),
        ("--bus-url", "kafka://:hunter2@127.0.0.1:1"),
    ] {
        let said = refused(&["serve", setting, url]).await;
        assert!(said.contains(&setting[2..]), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        // The program has an adapter for all that it could be built with.
        #[cfg(all(feature = "redis", feature = "kafka", feature = "postgres"))]
        assert!(!said.contains("built without"), "{said}");
    }
}

/// Starts a role whose servers are down: what its `/readyz` says, and how it ends on SIGTERM.
#[cfg(all(feature = "redis", feature = "kafka", feature = "postgres"))]
async fn waits(role: &str, args: &[&str]) -> (String, Ended) {
    let address = nowhere().await;
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

#[cfg(all(feature = "redis", feature = "kafka", feature = "postgres"))]
#[tokio::test]
async fn a_role_waits_for_its_servers_is_live_and_names_those_that_are_missing() {
    let (tickets, all) = (&EVERYWHERE[..2], &EVERYWHERE[..]);
    let ((generator, g), (consumer, c), (api, a)) = tokio::join!(
        waits("ticket-generator", tickets),
        waits("vote-consumer", &EVERYWHERE[2..]),
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

#[cfg(feature = "postgres")]
#[tokio::test]
async fn migrate_gives_up_on_a_server_that_does_not_come() {
    let args = ["migrate", "--store-url", EVERYWHERE[7], "--wait", "300ms"];
    let (code, stdout, stderr) = run(program(&args)).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    let words = [
        "error: --store-url postgres://127.0.0.1:1: ",
        "migrating the store",
    ];
    assert!(words.iter().all(|it| stderr.contains(it)), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}
