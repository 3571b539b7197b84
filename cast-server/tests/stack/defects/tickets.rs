//! Tickets, their uses and their keys: defects 8 to 10, 12, 13, 15 and 16.

use cast_testkit::{Seed, race};
use serde_json::Value;

use super::{cas, until_stored, vote, vote_with, with_lasting_tickets};
use crate::{
    check::check,
    stack::{Deployment, Role, Stack, kill, until},
    voters::Voters,
    workload::Workload,
};

/// The first use dropped the ticket key's time to live: keys leaked.
#[tokio::test]
async fn defect_08_whatever_tickets_leave_in_redis_has_a_time_to_live() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 1).await;
    let workload = Workload::new(deployment.clients());
    let mut voters = Voters::start(Seed::from_env_or_random(), &workload, 4);
    // Over several tickets.
    voters.until_acknowledged(150).await;
    voters.stop().await;
    check(&stack, &workload, &deployment.clients()).await;
    let keys = stack.redis.cli(["KEYS", "*"]).await;
    assert!(keys.contains(":tickets}"), "{keys}");
    for key in keys.lines() {
        let left: i64 = stack.redis.cli(["PTTL", key]).await.trim().parse().unwrap();
        // Gone by now, or to go.
        assert!(left > 0 || left == -2, "{key} stays for good");
    }
    deployment.drain().await;
}

/// `remainingUsage` was the number of uses taken.
#[tokio::test]
async fn defect_09_the_remaining_usage_is_what_is_left() {
    let Some((_stack, deployment)) = with_lasting_tickets(100, 2).await else {
        return;
    };
    let apis = deployment.clients();
    for left in [99, 98, 97] {
        assert_eq!(vote(&apis[0], &[("ada", 1)]).await["code"], "ACCEPTED");
        assert_eq!(cas(&apis[1]).await.1, left);
    }
    deployment.drain().await;
}

/// A second generator, or the same second twice, gave the ticket its uses back.
#[tokio::test]
async fn defect_10_another_generator_gives_no_uses_back() {
    let Some((stack, deployment)) = with_lasting_tickets(100, 1).await else {
        return;
    };
    let Deployment {
        generator,
        consumer,
        apis,
    } = deployment;
    let api = apis[0].client();
    let (ticket, _) = cas(&api).await;
    vote(&api, &[("ada", 1)]).await;
    let second = stack.run(Role::Generator).await;
    assert_eq!(cas(&api).await, (ticket.clone(), 99));
    kill(generator).await;
    vote(&api, &[("ada", 1)]).await;
    let generator = stack.run(Role::Generator).await;
    assert_eq!(cas(&api).await, (ticket, 98));
    kill(second).await;
    let deployment = Deployment {
        generator,
        consumer,
        apis,
    };
    deployment.drain().await;
}

/// The key was part of the code, and no vote was checked with it: the current ticket could be
/// computed from the clock.
#[tokio::test]
async fn defect_12_a_ticket_is_good_only_with_the_key_of_this_deployment() {
    let Some((stack, deployment)) = with_lasting_tickets(100, 1).await else {
        return;
    };
    let api = &deployment.clients()[0];
    let (ticket, _) = cas(api).await;
    // Each digit of it matters.
    for at in [0, 2, 15, 40, 63] {
        let mut forged: Vec<char> = ticket.chars().collect();
        forged[at] = if forged[at] == '0' { '1' } else { '0' };
        let forged: String = forged.into_iter().collect();
        let result = vote_with(api, &forged, &[("ada", 1)]).await;
        assert_eq!(result["message"], "Invalid ticket", "digit {at}");
    }
    // One of a server with a key of its own, with the same id.
    let foreign = format!("7:{}", "ab".repeat(32));
    let other = stack
        .run_with(
            Role::Generator,
            &[
                ("CAST_TICKET_SECRET", &foreign),
                ("CAST_TICKETS_URL", &stack.redis.url().replace("/0", "/1")),
            ],
        )
        .await;
    let elsewhere = stack
        .run_with(
            Role::Api,
            &[
                ("CAST_TICKET_SECRET", &foreign),
                ("CAST_TICKETS_URL", &stack.redis.url().replace("/0", "/1")),
            ],
        )
        .await;
    let (theirs, _) = cas(&elsewhere.client()).await;
    let result = vote_with(api, &theirs, &[("ada", 1)]).await;
    assert_eq!(result["message"], "Invalid ticket");
    assert_eq!(cas(api).await.1, 100, "no use was taken");
    kill(other).await;
    kill(elsewhere).await;
    deployment.drain().await;
}

/// `cas` without a ticket answered empty strings.
#[tokio::test]
async fn defect_13_without_a_ticket_cas_is_an_error() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let Deployment {
        generator, apis, ..
    } = Deployment::start(&stack, 1).await;
    let api = apis[0].client();
    kill(generator).await;
    let reply = until("no ticket", async || {
        let reply = api.ask("{ cas { ticket } }", Value::Null).await;
        (!reply.code().is_empty()).then_some(reply)
    })
    .await;
    assert_eq!(reply.code(), "NO_TICKET", "{reply:?}");
    assert!(reply.body["data"].is_null(), "{reply:?}");
}

/// Configuration was ignored: the config map said 10 uses, the code 100.
#[tokio::test]
async fn defect_15_what_is_set_is_what_happens() {
    let Some((_stack, deployment)) = with_lasting_tickets(10, 2).await else {
        return;
    };
    let apis = deployment.clients();
    let (ticket, uses) = cas(&apis[0]).await;
    assert_eq!(uses, 10);
    let results = race(16, |racer| {
        let (api, ticket) = (apis[racer % 2].clone(), ticket.clone());
        async move { vote_with(&api, &ticket, &[("ada", 1)]).await }
    });
    let results = results.await;
    let accepted = results.iter().filter(|result| result["success"] == true);
    assert_eq!(accepted.count(), 10);
    deployment.drain().await;
}

/// At most 50 votes a second, whatever the hardware: 100 uses in 2 s, and no other way.
#[tokio::test]
async fn defect_16_a_period_takes_as_many_votes_as_it_is_set_to() {
    let Some((stack, deployment)) = with_lasting_tickets(100_000, 2).await else {
        return;
    };
    let apis = deployment.clients();
    let (ticket, _) = cas(&apis[0]).await;
    let accepted = race(32, |racer| {
        let (api, ticket) = (apis[racer % 2].clone(), ticket.clone());
        async move {
            for _ in 0..10 {
                let result = vote_with(&api, &ticket, &[("ada", 1)]).await;
                assert_eq!(result["code"], "ACCEPTED", "{result}");
            }
            10
        }
    });
    assert_eq!(accepted.await.into_iter().sum::<u64>(), 320);
    assert_eq!(cas(&apis[1]).await.1, 100_000 - 320);
    until_stored(&stack, "ada", 320).await;
    deployment.drain().await;
}
