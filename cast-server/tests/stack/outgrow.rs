//! One machine is outgrown: `move` takes its votes into a deployment.

use serde_json::json;
use tempfile::TempDir;

use crate::{
    check::audited,
    program::{Client, Process, VOTE, process::on_folder, run},
    stack::{Deployment, Stack, drain, until},
};

async fn vote(client: &Client, name: &str) {
    let ticket = client.data("{ cas { ticket } }", json!({})).await;
    let variables = json!({
        "ticket": ticket["cas"]["ticket"], "usernames": [name], "voteCount": [2],
    });
    let result = client.data(VOTE, variables).await;
    assert_eq!(result["vote"]["success"], true, "{result}");
}

async fn tally(client: &Client, name: &str) -> i64 {
    let query = "query($name: String!) { query(username: $name) }";
    let data = client.data(query, json!({ "name": name })).await;
    data["query"].as_i64().unwrap()
}

#[tokio::test]
async fn the_votes_of_a_folder_are_moved_once_and_nothing_else() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("cast-data");
    let serve = || on_folder(&["serve", "--listen", "127.0.0.1:0"], &folder);
    let process = Process::start(serve()).await;
    for name in ["ada", "grace", "ada"] {
        vote(&process.client(), name).await;
    }
    drain(process).await;

    let transfer = || {
        let (bus, store) = (
            stack.setting("CAST_BUS_URL"),
            stack.setting("CAST_STORE_URL"),
        );
        on_folder(&["move", "--to-bus", &bus, "--to-store", &store], &folder)
    };
    for _ in 0..2 {
        let (code, report, stderr) = run(transfer()).await;
        assert_eq!(code, Some(0), "{report}{stderr}");
        let expected = "3 ballots with 6 votes for 2 candidates";
        assert!(report.contains(expected), "{report}");
    }
    let (code, _, stderr) = run(serve()).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("were moved to"), "{stderr}");

    let deployment = Deployment::start(&stack, 1).await;
    let clients = deployment.clients();
    until("the moved votes", async || {
        (tally(&clients[0], "ada").await == 4).then_some(())
    })
    .await;
    vote(&clients[0], "ada").await;
    until("votes on top of the moved ones", async || {
        (tally(&clients[0], "ada").await == 6).then_some(())
    })
    .await;
    audited(&stack).await;

    // The deployment has a vote of its own now.
    let (code, _, stderr) = run(transfer()).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("is not empty"), "{stderr}");
    deployment.drain().await;
}
