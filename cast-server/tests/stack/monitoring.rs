//! The dashboard and the alerts of k8s/monitoring, in a real Prometheus beside a deployment that is
//! broken: each alert is seen to fire by the fault that it names, and not before.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use cast_testkit::{
    Seed,
    servers::{Private, Prometheus, Redis},
};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::{
    defects::publish_junk,
    program::{Client, Process},
    stack::{Deployment, Own, Role, Stack, until},
    voters::Voters,
    workload::Workload,
};

const VOTERS: usize = 12;

/// How many connections the narrow api has room for: more than voters and Prometheus need.
const CONNECTIONS: usize = 64;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../k8s/monitoring")
}

/// What is in one of its files.
fn file(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The rules as they are, but for how long one has to wait: see the head of their file.
fn impatient_rules() -> String {
    let rules = file("rules.yaml");
    let without_for = |line: &str| {
        if line.trim_start().starts_with("for: ") {
            let indent = &line[..line.len() - line.trim_start().len()];
            format!("{indent}for: 0s\n")
        } else {
            format!("{}\n", line.replace("> 60", "> 3"))
        }
    };
    rules.lines().map(without_for).collect()
}

/// A deployment, and a Prometheus that looks at it.
struct Scene {
    stack: Stack,
    /// Beside that of tickets, so that each can be lost for itself.
    counter: Private<Redis>,
    deployment: Deployment,
    /// An API server that flushes one ballot after the other.
    narrow: Process,
    prometheus: Private<Prometheus>,
    /// Of Prometheus.
    client: Client,
    voters: Voters,
    /// Alerts that were seen.
    seen: BTreeSet<String>,
}

impl Scene {
    async fn start() -> Option<Self> {
        let own = Own {
            kafka: true,
            postgres: true,
            ..Own::default()
        };
        let prometheus = Prometheus::start(&impatient_rules()).await?;
        let counter = Redis::start().await?;
        let mut stack = Stack::start_on(own).await?;
        stack.set("CAST_COUNTER_URL", counter.url());
        stack.set("CAST_METRICS_INTERVAL", "250ms");
        stack.set("CAST_TICKET_USES", "10000");
        let narrow = [
            ("CAST_FLUSH_LIMIT", "1"),
            ("CAST_FLUSHES_IN_FLIGHT", "1"),
            ("CAST_MAX_CONNECTIONS", &CONNECTIONS.to_string()),
        ];
        let (deployment, narrow) = tokio::join!(
            Deployment::start(&stack, 1),
            stack.run_with(Role::Api, &narrow)
        );
        let apis = [deployment.clients(), vec![narrow.client()]].concat();
        let workload = Workload::new(apis);
        let mut voters = Voters::start(Seed::from_env_or_random(), &workload, VOTERS);
        voters.until_acknowledged(20).await;
        let client = Client::new(prometheus.url());
        let scene = Self {
            stack,
            counter,
            deployment,
            narrow,
            prometheus,
            client,
            voters,
            seen: BTreeSet::new(),
        };
        scene.scrape_all();
        Some(scene)
    }

    /// Gives Prometheus its targets.
    fn scrape_all(&self) {
        let Deployment {
            generator,
            consumer,
            apis,
        } = &self.deployment;
        let roles = [("ticket-generator", generator), ("vote-consumer", consumer)];
        let apis = apis.iter().chain([&self.narrow]).map(|api| ("api", api));
        let targets: Vec<_> = roles
            .into_iter()
            .chain(apis)
            .map(|(role, process)| (role, process.url().replace("http://", "")))
            .collect();
        let targets = targets.iter().map(|(role, url)| (*role, url.as_str()));
        self.prometheus.scrape(targets);
    }

    /// What Prometheus answers.
    async fn api(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/v1/{path}", self.client.url);
        let reply = self.client.send(self.client.http.get(url).query(query));
        let reply = reply.await;
        assert_eq!(reply.body["status"], "success", "{reply:?}");
        reply.body["data"].clone()
    }

    /// The values that a query has now, of all its series.
    async fn values(&self, query: &str) -> Vec<f64> {
        let data = self.api("query", &[("query", query)]).await;
        let result = data["result"].as_array().unwrap();
        let value = |series: &Value| series["value"][1].as_str().unwrap().parse().unwrap();
        result.iter().map(value).collect()
    }

    /// The alerts that fire.
    async fn firing(&self) -> BTreeSet<String> {
        let data = self.api("alerts", &[]).await;
        let alerts = data["alerts"].as_array().unwrap().iter();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        let name = |alert: &Value| alert["labels"]["alertname"].as_str().unwrap().to_owned();
        firing.map(name).collect()
    }

    /// None of these fire before the fault; afterwards all of them do.
    async fn fires(&mut self, alerts: &[&str], fault: impl AsyncFnOnce(&mut Self)) {
        let scene = &*self;
        until(&format!("none of {alerts:?}"), async || {
            let firing = scene.firing().await;
            (!alerts.iter().any(|a| firing.contains(*a))).then_some(())
        })
        .await;
        fault(self).await;
        let scene = &*self;
        until(&format!("all of {alerts:?}"), async || {
            let firing = scene.firing().await;
            alerts.iter().all(|a| firing.contains(*a)).then_some(())
        })
        .await;
        self.seen.extend(alerts.iter().map(|a| (*a).to_owned()));
    }

    /// Kills the consumer, and starts another one where it was; waits until Prometheus saw it.
    async fn restart_consumer(&mut self) {
        let at = self.deployment.consumer.url().replace("http://", "");
        let starts = format!("changes(cast_start_timestamp_seconds{{instance=\"{at}\"}}[30m])");
        let before = self.values(&starts).await;
        self.deployment.consumer.signal("KILL").await;
        until("an address that is free", async || {
            TcpStream::connect(&at).await.is_err().then_some(())
        })
        .await;
        let listen = [("CAST_LISTEN", at.as_str())];
        self.deployment.consumer = self.stack.run_with(Role::Consumer, &listen).await;
        until("a look at the new one", async || {
            (self.values(&starts).await[0] > before[0]).then_some(())
        })
        .await;
    }

    /// Waits until the votes of the voters are accepted again.
    async fn recovers(&mut self) {
        self.voters.until_acknowledged(20).await;
    }
}

/// The queries of all panels, with an interval in place of Grafana's variable.
fn dashboard_queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&file("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array());
    let queries = targets.flatten().map(|target| target["expr"].as_str());
    let query = |query: Option<&str>| query.unwrap().replace("$__rate_interval", "1m");
    queries.map(query).collect()
}

#[tokio::test]
async fn the_dashboard_has_data_and_each_alert_fires_by_its_fault() {
    let Some(mut scene) = Scene::start().await else {
        return;
    };
    // It comes with Prometheus.
    let mut promtool = tokio::process::Command::new("promtool");
    promtool.args(["check", "rules", "--lint-fatal"]);
    let checked = promtool.arg(folder().join("rules.yaml"));
    let checked = checked.output().await.expect("promtool starts");
    assert!(checked.status.success(), "{checked:?}");
    // A series may be not a number, as a mean of nothing is; one of them must be.
    for query in dashboard_queries() {
        until(&format!("data of {query}"), async || {
            let values = scene.values(&query).await;
            values.iter().any(|value| value.is_finite()).then_some(())
        })
        .await;
    }
    let all_are_up = async || (scene.values("sum(up)").await == [4.0]).then_some(());
    until("all processes in one scrape", all_are_up).await;
    assert_eq!(scene.firing().await, BTreeSet::new(), "all is well");
    breaks(&mut scene).await;

    let rules = scene.api("rules", &[("type", "alert")]).await;
    let groups = rules["groups"].as_array().unwrap().iter();
    let alerts = groups.flat_map(|group| group["rules"].as_array().unwrap());
    let alerts: BTreeSet<_> = alerts.map(|a| a["name"].as_str().unwrap().into()).collect();
    assert_eq!(scene.seen, alerts, "each alert has its fault here");
    scene.voters.stop().await;
}

/// Breaks one thing after the other, and mends it again.
async fn breaks(scene: &mut Scene) {
    scene
        .fires(&["CastVotesRejected"], async |scene| {
            publish_junk(&scene.stack, 0).await;
        })
        .await;
    scene
        .fires(&["CastConnectionsTurnedAway"], async |scene| {
            let url = scene.narrow.url().replace("http://", "");
            let mut held = Vec::new();
            for _ in 0..2 * CONNECTIONS {
                held.push(TcpStream::connect(&url).await.unwrap());
            }
        })
        .await;
    // Before all that makes the narrow api slow: here it is the log that does.
    let no_answer = ["CastLogFailing", "CastVotesUnknown", "CastOverloaded"];
    scene
        .fires(&no_answer, async |scene| {
            scene.stack.kafka.own().freeze().await;
        })
        .await;
    scene.stack.kafka.own().thaw().await;
    scene.recovers().await;
    scene
        .fires(&["CastCounterFailing"], async |scene| {
            scene.counter.kill().await;
        })
        .await;
    scene.counter.restart_empty().await;
    scene.recovers().await;
    scene
        .fires(&["CastStoreFailing", "CastStoreBehind"], async |scene| {
            scene.stack.postgres.own().kill().await;
        })
        .await;
    scene.stack.postgres.own().restart().await;
    scene.recovers().await;
    scene
        .fires(&["CastRestarting"], async |scene| {
            for _ in 0..3 {
                scene.restart_consumer().await;
            }
        })
        .await;
    scene.recovers().await;
    // First no generator issues tickets, then their server is gone.
    scene
        .fires(&["CastNoTicket"], async |scene| {
            scene.deployment.generator.signal("STOP").await;
        })
        .await;
    scene.deployment.generator.signal("CONT").await;
    scene.recovers().await;
    scene
        .fires(&["CastTicketSourceFailing"], async |scene| {
            scene.stack.redis.kill().await;
        })
        .await;
    scene.stack.redis.restart_empty().await;
    scene.recovers().await;
    scene
        .fires(&["CastInstanceDown", "CastStoreUnwatched"], async |scene| {
            scene.deployment.consumer.signal("KILL").await;
        })
        .await;
}
