//! `build-and-deploy.sh` against fakes of Docker and kubectl: they record their arguments, and the
//! forwarded port is that of a real server.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use cast_core::domain::KeyRing;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};

use crate::support::{Process, SOON};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

const KUBECTL: &str = r#"#!/bin/sh
echo "kubectl $*" >>"$FAKE/calls"
case "$*" in
  *"get secret "*) [ -e "$FAKE/$5" ] ;;
  *"create secret generic "*) cat >"$FAKE/$6" ;;
  "config current-context") echo kind-test ;;
  "kustomize "*) printf 'a:\n- image: cast:0.1.0\n  image: registry.test/cast:0.1.0\n- image: kafka:1\n' ;;
  *"get job migrate "*) cat "$FAKE/migration" ;;
  *"logs job/migrate "*) echo "no way to the database" ;;
  "apply --filename -"*) cat >"$FAKE/applied" ;;
  *port-forward*) echo "Forwarding from 127.0.0.1:$PORT -> 8000" && exec sleep 60 ;;
esac
"#;
const OTHER: &str = r#"#!/bin/sh
echo "$(basename "$0") $*" >>"$FAKE/calls"
"#;

/// A folder with fake tools, in front of all others in `PATH`.
struct Fakes(PathBuf);

impl Fakes {
    fn make() -> Self {
        let name = format!("install-{}", cast_testkit::servers::random_name());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir(&folder).unwrap();
        for (tool, script) in [("kubectl", KUBECTL), ("docker", OTHER), ("kind", OTHER)] {
            let path = folder.join(tool);
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(folder.join("migration"), "SuccessCriteriaMet Complete").unwrap();
        Self(folder)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }

    /// Runs the script; how it ends, what it prints and says.
    async fn install(&self, port: &str, args: &[&str]) -> (Option<i32>, String, String) {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(format!("{ROOT}/build-and-deploy.sh"));
        command
            .args(args)
            .env("PATH", format!("{}:{path}", self.0.display()))
            .env("FAKE", &self.0)
            .env("PORT", port)
            .env_remove("CAST_STORE_URL")
            .kill_on_drop(true);
        let output = tokio::time::timeout(SOON * 2, command.output()).await;
        let output = output.expect("it ends").unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }
}

impl Drop for Fakes {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn it_installs_votes_and_keeps_the_secrets_when_it_is_run_again() {
    let process = Process::serve(&[]).await;
    let url = process.url();
    let port = url.rsplit(':').next().unwrap();
    let fakes = Fakes::make();
    let args = ["--image", "cast:test-1", "--features", "kafka-tls,otlp"];
    let (code, stdout, stderr) = fakes.install(port, &args).await;
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    assert!(stdout.contains("\"success\":true"), "{stdout}");

    let ring = fakes.read("cast-ticket-keys");
    let ring = ring.strip_prefix("ticket-keys=").unwrap().trim();
    ring.parse::<KeyRing>().expect("a key ring");
    let password = fakes.read("cast-postgres");
    let password = password.strip_prefix("password=").unwrap().trim();
    assert_eq!(password.len(), 48);
    let urls = fakes.read("cast-urls");
    let store = format!("store-url=postgres://cast:{password}@postgres:5432/cast\n");
    assert!(urls.ends_with(&store), "{urls}");
    assert_eq!(urls.lines().count(), 4);
    // Its own image everywhere, and no other image changed.
    let applied = "a:\n- image: cast:test-1\n  image: cast:test-1\n- image: kafka:1\n";
    assert_eq!(fakes.read("applied"), applied);
    let calls = fakes.read("calls");
    let steps = [
        "docker build --tag cast:test-1 --build-arg CAST_FEATURES=kafka-tls,otlp ",
        "kind load docker-image cast:test-1 --name test\n",
        "kubectl apply --filename k8s/base/namespace.yaml\n",
        "kubectl --namespace cast delete job migrate --ignore-not-found\n",
        "kubectl apply --filename - --selector app.kubernetes.io/name notin (api,ticket-generator)\n",
        "kubectl --namespace cast rollout status statefulset/kafka ",
        "kubectl --namespace cast get job migrate ",
        "kubectl --namespace cast rollout status deployment/vote-consumer ",
        "kubectl apply --filename -\n",
        "kubectl --namespace cast rollout status deployment/api ",
    ];
    let mut rest = &*calls;
    for step in steps {
        let (_, after) = rest
            .split_once(step)
            .unwrap_or_else(|| panic!("{step}: {calls}"));
        rest = after;
    }
    for secret in [ring, password] {
        assert!(!calls.contains(secret), "a secret on a command line");
        assert!(!stdout.contains(secret), "a secret is printed");
    }

    let (code, stdout, stderr) = fakes.install(port, &args).await;
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    assert!(fakes.read("cast-ticket-keys").contains(ring), "kept");
    assert!(fakes.read("cast-postgres").contains(password), "kept");
    assert_eq!(fakes.read("cast-urls"), urls);
}

#[tokio::test]
async fn elsewhere_the_urls_of_the_servers_must_be_set() {
    let fakes = Fakes::make();
    let (code, _, stderr) = fakes
        .install(
            "1",
            &["production", "--push", "--image", "registry.test/cast:1"],
        )
        .await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("CAST_STORE_URL"), "{stderr}");
    assert_eq!(fakes.read("applied"), "", "and nothing is applied");
}

#[tokio::test]
async fn an_image_without_a_registry_is_not_pushed() {
    let fakes = Fakes::make();
    let (code, _, stderr) = fakes
        .install("1", &["--push", "--image", "cast:test-1"])
        .await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--image REGISTRY/"), "{stderr}");
    assert_eq!(fakes.read("calls"), "", "and nothing is built");
}

#[tokio::test]
async fn a_migration_that_gave_up_is_not_waited_for_and_says_why() {
    let fakes = Fakes::make();
    fs::write(fakes.0.join("migration"), "FailureTarget Failed").unwrap();
    let (code, _, stderr) = fakes.install("1", &["--image", "cast:test-1"]).await;
    assert_eq!(code, Some(1), "{stderr}");
    for said in [
        "no way to the database",
        "the migration FailureTarget Failed",
    ] {
        assert!(stderr.contains(said), "{stderr}");
    }
    let calls = fakes.read("calls");
    assert!(!calls.contains("vote-consumer"), "nothing goes on: {calls}");
}

/// Under the same name it would not replace what runs.
#[tokio::test]
async fn what_is_built_with_other_features_has_another_name() {
    let fakes = Fakes::make();
    fs::write(fakes.0.join("migration"), "Failed").unwrap();
    let (_, _, stderr) = fakes.install("1", &["--features", "kafka-tls,otlp"]).await;
    let calls = fakes.read("calls");
    let tag = "-kafka-tls-otlp --build-arg CAST_FEATURES=kafka-tls,otlp ";
    assert!(calls.contains(tag), "{calls}\n{stderr}");
}

#[tokio::test]
async fn a_vote_that_is_refused_is_a_failure() {
    let fakes = Fakes::make();
    let (port, server) = refusing().await;
    let (code, _, stderr) = fakes.install(&port, &["--image", "cast:test-1"]).await;
    server.abort();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("the vote was not accepted"), "{stderr}");
}

#[tokio::test]
async fn a_port_to_a_server_that_is_gone_is_a_failure() {
    let fakes = Fakes::make();
    let port = cast_testkit::servers::free_address().port().to_string();
    let (code, _, stderr) = fakes.install(&port, &["--image", "cast:test-1"]).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("the vote was not accepted"), "{stderr}");
}

/// A server that has tickets, and refuses each vote.
async fn refusing() -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let refused = r#"{"data":{"vote":{"success":false,"message":"Ticket expired","votes":null}}}"#;
    let ticket = format!(r#"{{"data":{{"cas":{{"ticket":"{}"}}}}}}"#, "0".repeat(64));
    let serving = tokio::spawn(async move {
        loop {
            let (mut link, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            // Its body is JSON, and may come after its head.
            while !request.trim_end().ends_with('}') {
                let mut part = [0; 4_096];
                let read = link.read(&mut part).await.unwrap();
                assert_ne!(read, 0, "half a request: {request}");
                request.push_str(std::str::from_utf8(&part[..read]).unwrap());
            }
            let votes = request.contains("mutation");
            let body = if votes { refused } else { &ticket };
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:";
            let reply = format!("{head} {}\r\n\r\n{body}", body.len());
            link.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    (port, serving)
}
