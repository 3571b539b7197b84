use std::time::Duration;

use cast_testkit::{eventually, pause, servers::Prometheus};

use crate::client::{Client, DEADLINE};

const RULES: &str = "groups:\n- name: here\n  rules:\n  - {record: two, expr: 1 + 1}\n";

/// What it knows of a metric now.
async fn known(url: &str, query: &str) -> String {
    let path = url.splitn(4, '/').last().expect("a prefix");
    let request = format!("GET /{path}/api/v1/query?query={query} HTTP/1.0\r\n\r\n");
    let mut link = Client::to(url).await;
    link.ask(request.as_bytes()).await;
    let mut answer = Vec::new();
    loop {
        let more = link.answer_within(DEADLINE).await.expect("an answer");
        if more.is_empty() {
            return String::from_utf8(answer).expect("text");
        }
        answer.extend(more);
    }
}

#[tokio::test]
async fn prometheus_has_its_rules_and_scrapes_its_targets() {
    let Some(mut prometheus) = Prometheus::start(RULES).await else {
        return;
    };
    let until_known = |query: &'static str| {
        let url = prometheus.url().to_owned();
        eventually(DEADLINE, format!("data of {query}"), move || {
            let url = url.clone();
            async move {
                pause(Duration::from_millis(50)).await;
                known(&url, query).await.contains("\"value\"").then_some(())
            }
        })
    };
    until_known("two").await;
    // It has metrics of its own; no process listens at the other address.
    let address = prometheus.url().split('/').nth(2).expect("an address");
    prometheus.scrape([("itself", address)]);
    until_known("up").await;
    prometheus.restart_empty().await;
    assert!(!known(prometheus.url(), "up").await.contains("\"value\""));
}
