//! The roles of a deployment refuse settings that they cannot work with.

use crate::support::refused;

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
