//! `bench`, the real program: against real servers, and against servers that lie.

mod honest;
mod liar;
mod lies;
mod output;

use serde_json::{Value, json};

use crate::support::{Client, SOON, program, run};

/// Tickets that bound nothing.
const MANY_USES: [&str; 2] = ["--ticket-uses", "1000000"];

/// Runs `bench --json`: its exit code and its object. It prints nothing else.
async fn bench(urls: &str, args: &[&str]) -> (Option<i32>, Value) {
    let mut all = vec!["bench", "--url", urls, "--json", "--connections", "4"];
    all.extend(args);
    let (code, stdout, stderr) = run(program(&all)).await;
    assert_eq!(stderr, "", "no progress without a terminal: {stdout}");
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    let object: Value = serde_json::from_str(&stdout).expect("one JSON object");
    assert_eq!(object["exit_code"].as_i64(), code.map(i64::from));
    (code, object)
}

fn number(object: &Value, name: &str) -> u64 {
    object[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} in {object}"))
}

fn sum(codes: &Value) -> u64 {
    let codes = codes.as_object().expect("an object");
    codes.values().map(|count| count.as_u64().unwrap()).sum()
}

/// Waits until a candidate has votes.
async fn until_voted(client: &Client) {
    cast_testkit::eventually(SOON, "votes", || async {
        let data = client
            .data("{ leaderboard(first: 1) { votes } }", json!({}))
            .await;
        (data["leaderboard"][0]["votes"].as_u64()? > 0).then_some(())
    })
    .await;
}
