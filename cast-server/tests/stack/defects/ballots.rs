//! What one ballot may hold: defects 4 to 7.

use serde_json::{Value, json};

use super::{cas, lasting, sent, until_stored, vote, vote_with, with_lasting_tickets};
use crate::{
    check::tallies,
    stack::{Deployment, Stack, until},
};

/// Counts past 2^31 broke the database and `query`.
#[tokio::test]
async fn defect_04_counts_beyond_31_bits_are_counted_and_never_shown_wrong() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    lasting(&mut stack, 1_000);
    stack.set("CAST_MAX_VOTES", "2000000000");
    let deployment = Deployment::start(&stack, 1).await;
    let api = &deployment.clients()[0];
    for _ in 0..3 {
        let (ticket, _) = cas(api).await;
        sent(api, &ticket, json!(["ada"]), json!([2_000_000_000])).await;
    }
    until_stored(&stack, "ada", 6_000_000_000).await;
    until("the tally", async || {
        let shown = tallies(api, &["ada".into()]).await;
        (shown[0].1 == 6_000_000_000).then_some(())
    })
    .await;
    let reply = api.ask("{ query(username: \"ada\") }", Value::Null).await;
    assert_eq!(reply.code(), "COUNT_TOO_LARGE", "{reply:?}");
    deployment.drain().await;
}

/// A name twice in one vote: Redis and the database disagreed.
#[tokio::test]
async fn defect_05_a_name_twice_in_one_vote_is_added_up_everywhere() {
    let Some((stack, deployment)) = with_lasting_tickets(1_000, 1).await else {
        return;
    };
    let api = &deployment.clients()[0];
    let result = vote(api, &[("ada", 2), ("bo", 1), ("ada", 3)]).await;
    assert_eq!(result["votes"], json!([5, 1, 5]), "{result}");
    until_stored(&stack, "ada", 5).await;
    until_stored(&stack, "bo", 1).await;
    let shown = tallies(api, &["ada".into(), "bo".into()]).await;
    assert_eq!(shown, [("ada".into(), 5), ("bo".into(), 1)]);
    deployment.drain().await;
}

/// One request with 100 aliases emptied the ticket; one use bought 2,000,000,000 votes.
#[tokio::test]
async fn defect_06_a_request_votes_once_and_a_use_buys_no_more_than_the_limit() {
    let Some((_stack, deployment)) = with_lasting_tickets(100, 1).await else {
        return;
    };
    let api = &deployment.clients()[0];
    let (ticket, _) = cas(api).await;
    let vote = "vote(usernames: [\"ada\"], voteCount: [1], ticket: $t) { success }";
    let many: Vec<_> = (0..20).map(|n| format!("v{n}: {vote}")).collect();
    let many = many.join(" ");
    let document = format!("mutation($t: String!) {{ {many} }}");
    let reply = api.ask(&document, json!({"t": ticket})).await;
    assert_eq!(reply.code(), "GRAPHQL_VALIDATION_FAILED", "{reply:?}");
    let greedy = vote_with(api, &ticket, &[("ada", 2_000_000_000)]).await;
    assert_eq!(greedy["code"], "BAD_BALLOT", "{greedy}");
    assert_eq!(cas(api).await.1, 100, "no use was taken");
    assert_eq!(tallies(api, &["ada".into()]).await[0].1, 0);
    deployment.drain().await;
}

/// Negative counts; an empty list was a success; lists of different lengths burned a use.
#[tokio::test]
async fn defect_07_a_bad_ballot_is_refused_and_burns_no_use() {
    let Some((_stack, deployment)) = with_lasting_tickets(100, 1).await else {
        return;
    };
    let api = &deployment.clients()[0];
    let (ticket, _) = cas(api).await;
    let length = "Vote count list must have the same length as usernames list";
    for (names, counts, message) in [
        (json!(["ada"]), json!([-1]), None),
        (json!(["ada"]), json!([0]), None),
        (json!([]), json!([]), None),
        (json!(["ada", "bo"]), json!([1]), Some(length)),
    ] {
        let reply = sent(api, &ticket, names, counts).await;
        let result = &reply.body["data"]["vote"];
        assert_eq!(
            (&result["success"], &result["code"]),
            (&json!(false), &json!("BAD_BALLOT"))
        );
        assert_eq!(result["usernames"], json!([]), "{result}");
        if let Some(message) = message {
            assert_eq!(result["message"], message);
        }
    }
    assert_eq!(cas(api).await.1, 100, "no use was taken");
    deployment.drain().await;
}
