//! On a machine without servers a test is skipped, and says so; with `CI=true` it fails.

use std::process::{Command, Output};

use cast_testkit::servers::{self, Kafka, Redis};

const NAMED: &str = "redis://user:secret@redis.test:1/2";

/// Runs a test as on a machine without any of the servers.
fn without_servers(ci: Option<&str>, test: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("it runs"));
    command.args(["--exact", &format!("missing::{test}"), "--ignored"]);
    command
        .env("PATH", "/nowhere")
        .env("CAST_TEST_SERVERS_DIR", "/nowhere");
    command
        .env_remove("CAST_TEST_KAFKA_URL")
        .env_remove("CAST_TEST_REDIS_URL");
    if test.ends_with("named_redis") {
        command.env("CAST_TEST_REDIS_URL", NAMED);
    }
    match ci {
        Some(ci) => command.env("CI", ci),
        None => command.env_remove("CI"),
    };
    command.output().expect("it runs once already")
}

#[test]
fn a_laptop_without_servers_skips_and_says_so() {
    for server in ["redis", "kafka"] {
        let output = without_servers(None, &format!("role_a_test_with_{server}"));
        assert!(output.status.success(), "{output:?}");
        // The runner captures what tests print, but not this.
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.matches("SKIPPED").count(), 2, "{said}");
        assert!(
            said.contains("./test.sh installs what is missing"),
            "{said}"
        );
    }
}

#[test]
fn continuous_integration_without_servers_fails() {
    for server in ["redis", "kafka"] {
        let output = without_servers(Some("true"), &format!("role_a_test_with_{server}"));
        assert!(!output.status.success(), "{output:?}");
    }
}

#[tokio::test]
#[ignore = "other tests run it, where there is no Redis"]
async fn role_a_test_with_redis() {
    assert!(servers::redis().await.is_none());
    assert!(Redis::start().await.is_none());
}

#[tokio::test]
#[ignore = "other tests run it, where there is no Kafka"]
async fn role_a_test_with_kafka() {
    assert!(servers::kafka().await.is_none());
    assert!(Kafka::start().await.is_none());
}

#[test]
fn a_named_server_is_taken_as_it_is() {
    let output = without_servers(Some("true"), "role_a_test_with_a_named_redis");
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
#[ignore = "another test runs it"]
async fn role_a_test_with_a_named_redis() {
    let redis = servers::redis().await.expect("it is named");
    assert_eq!(redis.url(), NAMED);
}
