//! `/metrics`: what it shows, what it never shows, and that the docs say the same.

mod counts;
mod reference;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cast_core::Ports;
use cast_testkit::eventually;
use serde_json::json;
use uuid::Uuid;

use crate::support::{SOON, Server, app_over, ports, program, run};

/// An answer of `/metrics`.
#[derive(Clone, Debug, Default)]
struct Scrape {
    text: String,
    /// By name and labels, as written.
    series: BTreeMap<String, f64>,
}

impl Scrape {
    fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| line.rsplit_once(' '));
        let value = |(series, value): (&str, &str)| (series.to_owned(), value.parse().unwrap());
        Self {
            text: text.to_owned(),
            series: series.map(value).collect(),
        }
    }

    /// The value of a series; `None` without the series.
    fn value(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// Each metric with its type and its labels.
    fn metrics(&self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let types = self.text.lines().filter_map(|line| {
            let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            Some((name.to_owned(), (kind.to_owned(), BTreeSet::new())))
        });
        let mut metrics: BTreeMap<_, _> = types.collect();
        for series in self.series.keys() {
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let suffixes = ["", "_bucket", "_sum", "_count"];
            let mut whole = suffixes.iter().filter_map(|end| name.strip_suffix(end));
            let known = whole.find(|name| metrics.contains_key(*name));
            let known = known.unwrap_or_else(|| panic!("{series} has no type"));
            let (_, known) = metrics.get_mut(known).unwrap();
            let labels = labels.trim_end_matches('}').split("\",");
            let names = labels.filter_map(|label| label.split_once('='));
            known.extend(names.map(|(name, _)| name.to_owned()).filter(|l| l != "le"));
        }
        metrics
    }
}

impl Server {
    async fn scrape(&self) -> Scrape {
        let reply = self.client.get("/metrics").await;
        assert_eq!(reply.status, 200);
        let format = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(reply.header("content-type"), format);
        Scrape::read(reply.body.as_str().unwrap())
    }

    /// Waits for an answer that passes.
    async fn until_scraped(&self, what: &str, is_so: impl Fn(&Scrape) -> bool) -> Scrape {
        eventually(SOON, what, || async {
            let scrape = self.scrape().await;
            is_so(&scrape).then_some(scrape)
        })
        .await
    }

    /// Waits until all these series have these values.
    async fn until_values(&self, expected: &[(&str, f64)]) {
        let what = format!("{expected:?}");
        let is_so = |scrape: &Scrape| {
            let mut all = expected.iter();
            all.all(|(series, value)| scrape.value(series) == Some(*value))
        };
        self.until_scraped(&what, is_so).await;
    }
}

/// A server that updates its gauges often.
async fn server_over(ports: Ports) -> Server {
    let mut app = app_over(ports);
    app.metrics_interval = Duration::from_millis(10);
    Server::of(app).await
}

#[tokio::test]
async fn voters_and_candidates_make_no_series() {
    let server = server_over(ports()).await;
    let ticket = server.client.ticket().await;
    let vote = |round: usize| {
        let names: Vec<_> = (0..16)
            .map(|n| format!("candidate-{}", round * 16 + n))
            .collect();
        let (client, ticket) = (server.client.clone(), ticket.clone());
        async move {
            let vote = json!({
                "ticket": ticket, "usernames": names, "voteCount": vec![1; 16],
                "voterUsername": format!("voter-{round}"), "ballotId": Uuid::from_u128(round as u128 + 1),
            });
            let answer = client.vote(vote).await;
            assert_eq!(answer["code"], "ACCEPTED", "{answer}");
        }
    };
    vote(0).await;
    server.client.get("/elsewhere").await;
    let counted = |votes: f64| {
        move |scrape: &Scrape| {
            scrape.value("cast_fold_ballots_total{result=\"counted\"}") == Some(votes)
        }
    };
    server.until_scraped("one vote", counted(1.0)).await;
    // What is only asked for now and then has been by now, and so has a tally that is refreshed.
    let series = |scrape: &Scrape| scrape.series.keys().cloned().collect::<BTreeSet<_>>();
    let reconciled = |scrape: &Scrape| {
        let operations = ["log\",operation=\"lag", "store\",operation=\"progress"];
        let is_there =
            |operation: &&str| scrape.text.contains(&format!("_count{{port=\"{operation}"));
        operations.iter().all(is_there)
    };
    let before = series(&server.until_scraped("what is asked for", reconciled).await);

    for rounds in (1..=200).collect::<Vec<_>>().chunks(20) {
        futures_util::future::join_all(rounds.iter().map(|round| vote(*round))).await;
        server.client.get(&format!("/{}", rounds[0])).await;
    }
    let after = server.until_scraped("all votes", counted(201.0)).await;
    assert_eq!(series(&after), before, "3,200 names, 200 voters, and paths");
    for secret in ["candidate", "voter-", "elsewhere", &ticket] {
        assert!(!after.text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn metrics_are_read_and_not_written() {
    let server = Server::start().await;
    let url = format!("{}/metrics", server.client.url);
    let reply = server.client.send(server.client.http.post(&url)).await;
    assert_eq!((reply.status, reply.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn an_interval_is_a_duration() {
    let (code, _, said) = run(program(&["serve", "--metrics-interval", "soon"])).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("metrics-interval"), "{said}");
}
