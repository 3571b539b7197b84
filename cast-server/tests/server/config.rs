//! Where settings come from, and what is said of wrong ones.

use std::path::Path;

use crate::{
    secrets::tempdir,
    support::{Process, program, run},
};

/// How many uses a fresh ticket has, when `serve` is started like this.
async fn uses(folder: &Path, args: &[&str], variable: Option<&str>) -> i64 {
    let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
    all.extend(args);
    let mut command = program(&all);
    command.current_dir(folder);
    if let Some(value) = variable {
        command.env("CAST_TICKET_USES", value);
    }
    let process = Process::start(command).await;
    process.client().cas().await["remainingUsage"]
        .as_i64()
        .unwrap()
}

#[tokio::test]
async fn a_flag_wins_over_the_variable_over_the_file_over_the_default() {
    let (empty, folder) = (tempdir("empty"), tempdir("file"));
    std::fs::write(
        folder.join("cast.toml"),
        "ticket-uses = 7\nlog = \"warn\"\n",
    )
    .unwrap();
    let flag = &["--ticket-uses", "9"][..];
    assert_eq!(uses(&empty, &[], None).await, 100);
    assert_eq!(uses(&folder, &[], None).await, 7);
    assert_eq!(uses(&folder, &[], Some("8")).await, 8);
    assert_eq!(uses(&folder, flag, Some("8")).await, 9);
    assert_eq!(uses(&folder, flag, None).await, 9);
    assert_eq!(uses(&empty, &[], Some("8")).await, 8);
}

#[tokio::test]
async fn the_file_may_be_anywhere() {
    let (empty, folder) = (tempdir("empty"), tempdir("elsewhere"));
    let path = folder.join("my.toml");
    std::fs::write(&path, "ticket-uses = 6\n").unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(uses(&empty, &["--config", path], None).await, 6);
    assert_eq!(uses(&empty, &[&format!("--config={path}")], None).await, 6);
    let mut command = program(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("CAST_CONFIG", path);
    let process = Process::start(command).await;
    assert_eq!(process.client().cas().await["remainingUsage"], 6);
}

/// Runs `serve`, which must refuse to; what it says.
async fn refused(args: &[&str], variable: Option<(&str, &str)>, file: Option<&str>) -> String {
    let folder = tempdir("refused");
    if let Some(text) = file {
        std::fs::write(folder.join("cast.toml"), text).unwrap();
    }
    let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
    all.extend(args);
    let mut command = program(&all);
    command
        .current_dir(&folder)
        .env_remove("CAST_IN_MEMORY")
        .envs(variable);
    let (code, stdout, stderr) = run(command).await;
    assert_eq!(
        (code, stdout.as_str()),
        (Some(2), ""),
        "{args:?} {variable:?} {file:?} {stderr}"
    );
    stderr
}

#[tokio::test]
async fn unknown_settings_are_errors_with_a_hint() {
    for (args, variable, file, words) in [
        (
            &["--ticket-use", "5"][..],
            None,
            None,
            &["--ticket-use", "--ticket-uses"][..],
        ),
        (
            &[],
            Some(("CAST_TICKET_USE", "5")),
            None,
            &["CAST_TICKET_USE:", "CAST_TICKET_USES"],
        ),
        (
            &[],
            None,
            Some("ticket_uses = 5"),
            &["cast.toml", "ticket_uses", "ticket-uses"],
        ),
        (
            &[],
            None,
            Some("[tickets]\nuses = 5"),
            &["cast.toml", "tickets"],
        ),
        (&["--config", "missing.toml"], None, None, &["missing.toml"]),
        (
            &[],
            Some(("CAST_CONFIG", "missing.toml")),
            None,
            &["missing.toml"],
        ),
    ] {
        let said = refused(args, variable, file).await;
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
    }
}

#[tokio::test]
async fn what_would_forget_with_a_restart_is_refused_beside_what_would_not() {
    for (args, words) in [
        (
            &["--store-url", "postgres://u:p@h/cast"][..],
            ["--store-url outlives the log", "--bus-url"],
        ),
        (
            &["--in-memory", "--counter-url", "redis://h"],
            ["--counter-url outlives the log", "--bus-url"],
        ),
        (
            &["--in-memory", "--store-url", "postgres://u:p@h/cast"],
            ["--in-memory", "--store-url"],
        ),
        (
            &["--in-memory", "--log-retention", "7d"],
            ["--log-retention", "--data-dir"],
        ),
        (
            &["--bus-url", "sqlite:a", "--store-url", "sqlite:b"],
            ["--bus-url and --store-url", "the same folder"],
        ),
        (
            &["--bus-url", "sqlite:a"],
            ["--bus-url and --store-url", "the same folder"],
        ),
        (
            &["--tickets-url", "redis://h"],
            ["ticket-secret", "restart"],
        ),
    ] {
        let said = refused(args, None, None).await;
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
    }
}

#[tokio::test]
async fn wrong_values_are_errors_that_name_the_setting() {
    for (args, variable, file, words) in [
        (
            &["--ticket-uses", "0"][..],
            None,
            None,
            &["--ticket-uses", "0"][..],
        ),
        (
            &["--ticket-uses", "many"],
            None,
            None,
            &["--ticket-uses", "many"],
        ),
        (
            &["--ticket-period", "2"],
            None,
            None,
            &["--ticket-period", "2s, 500ms"],
        ),
        (
            &["--max-body-size", "1XB"],
            None,
            None,
            &["--max-body-size", "16KiB"],
        ),
        (&["--log", "cast=loud"], None, None, &["--log", "info"]),
        (
            &["--log-format", "xml"],
            None,
            None,
            &["--log-format", "json"],
        ),
        (&[], Some(("CAST_TICKET_USES", "x")), None, &["ticket-uses"]),
        (
            &[],
            None,
            Some("ticket-uses = 0"),
            &["ticket-uses", "cast.toml"],
        ),
        (
            &[],
            None,
            Some("ticket-uses = \n"),
            &["cast.toml", "line 1"],
        ),
        (
            &["--ticket-ttl", "1s"],
            None,
            None,
            &["ticket-ttl", "ticket-period"],
        ),
        (
            &["--ticket-period", "1500us"],
            None,
            None,
            &["ticket-period", "millisecond"],
        ),
        (
            &["--request-deadline", "2s"],
            None,
            None,
            &["request-deadline", "publish-deadline"],
        ),
        (
            &["--store-url", "mysql://u:p@h/cast"],
            None,
            None,
            &["--store-url", "`mysql:`", "`memory:`"],
        ),
        (
            &["--bus-url", "nonsense"],
            None,
            None,
            &["bus-url", "scheme"],
        ),
        (
            &["--ticket-secret", "1:abcd"],
            None,
            None,
            &["ticket-secret", "32"],
        ),
        (
            &["--ticket-secret-file", "missing"],
            None,
            None,
            &["--ticket-secret-file missing"],
        ),
        (
            &["--ticket-secret", "1:abcd", "--ticket-secret-file", "x"],
            None,
            None,
            &["ticket-secret", "not both"],
        ),
    ] {
        let said = refused(args, variable, file).await;
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
    }
}

#[tokio::test]
async fn traces_go_to_a_url_without_tls_or_a_password() {
    let form = "http://HOST:4318/v1/traces";
    let url = "http://u:hunter2@127.0.0.1:4318/v1/traces";
    for (args, variable, file, words) in [
        (
            &["--traces-url", "https://h:4318/v1/traces"][..],
            None,
            None,
            ["traces-url", form],
        ),
        (
            &[],
            Some(("CAST_TRACES_URL", "http://127.0.0.1:4318?x=y")),
            None,
            ["traces-url", form],
        ),
        (&["--traces-url", url], None, None, ["traces-url", form]),
        (
            &[],
            None,
            Some("traces-ratio = 2"),
            ["traces-ratio", "from 0 to 1"],
        ),
        // A share of traces without a collector.
        (
            &["--traces-ratio", "0.5"],
            None,
            None,
            ["traces-ratio", "traces-url"],
        ),
    ] {
        let said = refused(args, variable, file).await;
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn no_command_or_an_unknown_one_is_a_usage_error() {
    for args in [&[][..], &["dance"], &["serve", "now"]] {
        let (code, stdout, stderr) = run(program(args)).await;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(stderr.contains("Usage:"), "{stderr}");
    }
}

#[tokio::test]
async fn help_names_every_setting_its_default_and_its_variable() {
    let (code, help, stderr) = run(program(&["serve", "--help"])).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for words in [
        "--listen <HOST:PORT>",
        "[env: CAST_LISTEN=]",
        "[default: 127.0.0.1:8000]",
        "--ticket-uses <COUNT>",
        "[env: CAST_TICKET_USES=]",
        "[default: 100]",
        "--drain-timeout",
        "[default: 10s]",
        "--log-format",
        "--store-url",
        "--max-body-size",
        "--config <PATH>",
    ] {
        assert!(help.contains(words), "{words:?} is not in {help}");
    }
    // Whatever is in the file.
    let folder = tempdir("help");
    std::fs::write(folder.join("cast.toml"), "nonsense").unwrap();
    let mut command = program(&["serve", "--help"]);
    command.current_dir(&folder);
    assert_eq!(run(command).await.0, Some(0));
    assert_eq!(run(program(&["--version"])).await.0, Some(0));
}

#[tokio::test]
async fn what_kubernetes_says_of_services_is_no_setting() {
    let mut command = program(&["serve", "--listen", "127.0.0.1:0"]);
    for (name, value) in [
        ("CAST_SERVICE_HOST", "10.0.0.1"),
        ("CAST_SERVICE_PORT_HTTP", "8000"),
        ("CAST_API_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("CAST_TEST_REDIS_URL", "redis://x"),
    ] {
        command.env(name, value);
    }
    Process::start(command).await;
}

#[tokio::test]
async fn a_key_ring_comes_from_a_flag_a_variable_or_a_file() {
    let folder = tempdir("keys");
    let path = folder.join("keys");
    let ring = format!("200:{}", "ab".repeat(32));
    std::fs::write(&path, format!("{ring}\n1:{}\n", "cd".repeat(40))).unwrap();
    for (args, variable) in [
        (vec!["--ticket-secret", &ring], None),
        (vec!["--ticket-secret-file", path.to_str().unwrap()], None),
        (vec![], Some(("CAST_TICKET_SECRET", &*ring))),
    ] {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(args);
        let mut command = program(&all);
        command.envs(variable);
        let process = Process::start(command).await;
        // The first byte of a ticket names its key: 200.
        assert!(process.client().ticket().await.starts_with("c8"));
    }
}
