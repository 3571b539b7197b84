//! What the manifests say, the program takes: its arguments, its variables, its ports, its probes, and
//! how long it may drain. Nothing is written here a second time: it is read from the files that are
//! deployed, and the real program is started with it.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use cast_testkit::servers::free_address;
use serde_json::Value;

use crate::{
    program::{Client, Process, SOON, program, run},
    stack::{Stack, until},
};

const API: &str = include_str!("../../../k8s/base/api.yaml");
const GENERATOR: &str = include_str!("../../../k8s/base/ticket-generator.yaml");
const CONSUMER: &str = include_str!("../../../k8s/base/vote-consumer.yaml");
const MIGRATION: &str = include_str!("../../../k8s/base/migration.yaml");
const SETTINGS: &str = include_str!("../../../k8s/base/cast.env");
const SINGLE_NODE: &str = include_str!("../../../k8s/overlays/single-node/kustomization.yaml");
const COMPOSE: &str = include_str!("../../../compose.yaml");

type Variables = BTreeMap<String, String>;

/// A container of the program, as it is deployed.
#[derive(Debug)]
struct Container {
    args: Vec<String>,
    variables: Variables,
    /// Path and kind.
    probes: Vec<String>,
    port: Option<u64>,
    /// How long it may take to end, after the signal.
    grace: Duration,
    folders: Vec<String>,
}

/// As Kubernetes takes it if nothing is said.
fn seconds(value: &Value, default: u64) -> Duration {
    Duration::from_secs(value.as_u64().unwrap_or(default))
}

fn text(value: &Value) -> String {
    let text = value.as_str().map(String::from);
    text.unwrap_or_else(|| value.to_string())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl Container {
    /// That of a workload, with the settings that all share.
    fn of_manifest(manifest: &str, settings: &Variables) -> Self {
        let objects: Vec<Value> = serde_saphyr::from_multiple(manifest).unwrap();
        let pod = &objects[0]["spec"]["template"]["spec"];
        let [container] = list(&pod["containers"]) else {
            panic!("not one container: {manifest}");
        };
        assert!(
            container["command"].is_null(),
            "the image says which program"
        );
        let shared = &container["envFrom"][0]["configMapRef"]["name"];
        assert_eq!(shared, "cast");
        let mut variables = settings.clone();
        for variable in list(&container["env"]) {
            let secret = &variable["valueFrom"]["secretKeyRef"]["key"];
            let value = if secret.is_null() {
                text(&variable["value"])
            } else {
                format!("secret {}", text(secret))
            };
            variables.insert(text(&variable["name"]), value);
        }
        let port = container["ports"][0]["containerPort"].as_u64();
        let probe = |name: &str| {
            let probe = &container[name]["httpGet"];
            (!probe.is_null()).then(|| {
                assert_eq!(probe["port"], container["ports"][0]["name"]);
                text(&probe["path"])
            })
        };
        let stop = &container["lifecycle"]["preStop"]["sleep"]["seconds"];
        let grace = &pod["terminationGracePeriodSeconds"];
        Self {
            args: list(&container["args"]).iter().map(text).collect(),
            variables,
            probes: ["livenessProbe", "readinessProbe", "startupProbe"]
                .into_iter()
                .filter_map(probe)
                .collect(),
            port,
            // preStop comes first, and is part of it.
            grace: seconds(grace, 30)
                .checked_sub(seconds(stop, 0))
                .expect("time to drain"),
            folders: list(&container["volumeMounts"])
                .iter()
                .map(|it| text(&it["mountPath"]))
                .collect(),
        }
    }

    /// That of a service of compose.
    fn of_service(name: &str) -> Self {
        let compose: Value = serde_saphyr::from_str(COMPOSE).unwrap();
        let service = &compose["services"][name];
        let variables = service["environment"].as_object().expect("variables");
        let check = &service["healthcheck"]["test"];
        let url = list(check).last().map(text).unwrap_or_default();
        let path = url.rsplit('/').next().filter(|path| !path.is_empty());
        let grace = text(&service["stop_grace_period"]);
        let grace = grace.strip_suffix('s').and_then(|it| it.parse().ok());
        Self {
            args: list(&service["command"]).iter().map(text).collect(),
            variables: variables
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            probes: path.map(|path| format!("/{path}")).into_iter().collect(),
            port: None,
            grace: Duration::from_secs(grace.expect("seconds")),
            folders: Vec::new(),
        }
    }

    /// Puts what a test has in the place of what only a cluster has: the addresses of servers, the file
    /// with the key ring, and where to listen. All else stays as it is.
    fn in_test(&mut self, stack: &Stack, address: &str, ring: &Ring) {
        if let Some(port) = self.port {
            assert_eq!(
                self.variables["CAST_LISTEN"],
                format!("0.0.0.0:{port}"),
                "it listens where it is asked"
            );
        }
        for (name, value) in &mut self.variables {
            let of_stack = stack.settings.iter().find(|(known, _)| known == name);
            match &**name {
                "CAST_LISTEN" => *value = address.into(),
                "CAST_TICKET_SECRET_FILE" => {
                    let folder = self.folders.iter().find(|it| value.starts_with(&***it));
                    assert!(folder.is_some(), "{value} is in no volume");
                    *value = ring.path();
                }
                _ if name.ends_with("_URL") || name == "CAST_TICKET_SECRET" => {
                    value.clone_from(&of_stack.expect("a test's own").1);
                }
                _ => {}
            }
        }
        self.variables
            .entry("CAST_LISTEN".into())
            .or_insert(address.into());
    }

    fn command(&self) -> tokio::process::Command {
        let args: Vec<_> = self.args.iter().map(String::as_str).collect();
        let mut command = program(&args);
        command.envs(&self.variables);
        command
    }
}

/// A file with a key ring, as a volume of a Secret holds it.
struct Ring(PathBuf);

impl Ring {
    fn write() -> Self {
        let name = format!("ticket-keys-{}", cast_testkit::servers::random_name());
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, format!("1:{}", "0a".repeat(32))).unwrap();
        Self(path)
    }

    fn path(&self) -> String {
        self.0.to_str().unwrap().into()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The settings that all roles share, as `k8s/base/cast.env` says, with what a deployment on a single
/// node says instead: there is one broker here, too.
fn settings() -> Variables {
    let overlay: Value = serde_saphyr::from_str(SINGLE_NODE).unwrap();
    let instead = list(&overlay["configMapGenerator"][0]["literals"]).to_vec();
    let lines = SETTINGS.lines().map(String::from);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .chain(instead.iter().map(text))
        .map(|line| {
            let (name, value) = line.split_once('=').expect("a setting");
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

/// A process with the container's arguments and variables: each probe answers, and it ends in time.
async fn lives_as_deployed(containers: Vec<Container>) {
    let mut processes = Vec::new();
    for container in &containers {
        let address = &container.variables["CAST_LISTEN"];
        let client = Client::new(&format!("http://{address}"));
        processes.push((container, client, Process::launch(container.command())));
    }
    for (container, client, process) in &mut processes {
        process.until_listening().await;
        assert!(!container.probes.is_empty(), "{container:?}");
        for path in &container.probes {
            // The tickets that it sees at first may be those of a ring of another test's.
            let answers = async || (client.get(path).await.status == 200).then_some(());
            until(&format!("{path} of {:?}", container.args), answers).await;
        }
    }
    for (container, client, process) in processes {
        let url = format!("{}/livez", client.url);
        let (code, _, stderr) = run(program(&["health", "--url", &url])).await;
        assert_eq!(code, Some(0), "{stderr}");
        process.signal("TERM").await;
        let ended = tokio::time::timeout(container.grace, process.ended()).await;
        let ended = ended.expect("it is not killed");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn the_roles_of_kubernetes_answer_their_probes_and_end_in_time() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let (ring, settings) = (Ring::write(), settings());
    let container = |manifest| {
        let mut container = Container::of_manifest(manifest, &settings);
        container.in_test(&stack, &free_address().to_string(), &ring);
        container
    };
    let migration = container(MIGRATION);
    let (code, _, stderr) = run(migration.command()).await;
    assert_eq!(code, Some(0), "{stderr}");

    let containers: Vec<_> = [GENERATOR, CONSUMER, API].map(container).into();
    for container in &containers {
        assert_eq!(container.probes, ["/livez", "/readyz"]);
        let drain = &container.variables["CAST_DRAIN_TIMEOUT"];
        let drain: u64 = drain.strip_suffix('s').unwrap().parse().unwrap();
        assert!(
            container.grace > Duration::from_secs(drain),
            "it may be killed while it drains: {container:?}"
        );
    }
    let known_to_all = settings.keys();
    assert!(known_to_all.len() > 5, "settings were read");
    lives_as_deployed(containers).await;
}

#[tokio::test]
async fn the_services_of_compose_answer_and_end_in_time() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let ring = Ring::write();
    let service = |name| {
        let mut service = Container::of_service(name);
        service.in_test(&stack, &free_address().to_string(), &ring);
        service
    };
    let (code, _, stderr) = run(service("migrate").command()).await;
    assert_eq!(code, Some(0), "{stderr}");
    let mut services: Vec<_> = ["ticket-generator", "vote-consumer", "api-1", "api-2"]
        .map(service)
        .into();
    for service in &mut services {
        if service.probes.is_empty() {
            // The image's own check.
            service.probes.push("/livez".into());
        }
        assert!(service.grace > Duration::from_secs(10), "{service:?}");
    }
    lives_as_deployed(services).await;
}

#[tokio::test]
async fn the_image_asks_the_program_itself_how_it_is() {
    const DOCKERFILE: &str = include_str!("../../../Dockerfile");
    let line = |word: &str| {
        let lines = DOCKERFILE.lines().map(str::trim);
        let mut after = lines.filter_map(|line| line.strip_prefix(word));
        let last = after.next_back().expect("a line");
        let words: Vec<String> = serde_json::from_str(last.trim()).expect("words");
        words
    };
    let entry = line("ENTRYPOINT");
    let mut check = DOCKERFILE.lines().map(str::trim);
    let check = check.find(|line| line.starts_with("CMD [") && line.contains("health"));
    let check: Vec<String> = serde_json::from_str(&check.unwrap()["CMD ".len()..]).unwrap();
    assert_eq!((&check[..1], &*check[1]), (&*entry, "health"));
    // It is asked where `--listen` says.
    assert!(DOCKERFILE.contains("ENV CAST_LISTEN=0.0.0.0:8000"));
    let process = Process::start({
        let mut command = program(&[&*line("CMD")[0]]);
        command.env("CAST_LISTEN", "0.0.0.0:0");
        command
    })
    .await;
    let at = process.url().replace("http://", "");
    let args: Vec<_> = check[1..].iter().map(String::as_str).collect();
    let mut asking = program(&args);
    asking.env("CAST_LISTEN", at);
    let (code, _, stderr) = run(asking).await;
    assert_eq!(code, Some(0), "{stderr}");
    process.signal("TERM").await;
    let ended = tokio::time::timeout(SOON, process.ended()).await;
    assert_eq!(ended.unwrap().code, Some(0));
}
