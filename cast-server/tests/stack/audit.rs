//! `audit` finds and names what was changed by hand.

use cast_testkit::Seed;

use crate::{
    check::{Stored, audited, check},
    program::run,
    stack::{Deployment, Stack, until},
    voters::Voters,
    workload::Workload,
};

/// Runs `audit` until it has found `what`; it must fail with the exit code of a difference.
async fn finds(stack: &Stack, what: &[&str]) {
    until(&format!("a finding about {what:?}"), async || {
        let (code, report, stderr) = run(stack.command("audit", &[])).await;
        let is_found = what.iter().all(|word| report.contains(word));
        // The store may just have been restored, and its connections cut.
        assert!(matches!(code, Some(0 | 1 | 3)), "{code:?}: {stderr}");
        (code == Some(3) && is_found).then_some(())
    })
    .await;
}

/// A stack that took votes and shows them: audit finds nothing.
async fn voted(stack: &Stack) -> (Deployment, Workload) {
    let deployment = Deployment::start(stack, 1).await;
    let workload = Workload::new(deployment.clients());
    let mut voters = Voters::start(Seed::from_env_or_random(), &workload, 8);
    voters.until_acknowledged(60).await;
    voters.stop().await;
    check(stack, &workload, &deployment.clients()).await;
    (deployment, workload)
}

#[tokio::test]
async fn a_row_changed_by_hand_and_a_ballot_deleted_by_hand_are_named() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let (deployment, _) = voted(&stack).await;
    let total = "UPDATE totals SET votes = votes + 1 WHERE (candidate, partition) = \
                 (SELECT candidate, partition FROM totals WHERE candidate = 'ada' LIMIT 1)";
    stack.database.sql(total).await;
    finds(&stack, &["ada"]).await;
    stack.database.sql(&total.replace("+ 1", "- 1")).await;
    audited(&stack).await;

    let ballot = Stored::read(&stack).await.ballots[0].id;
    let altered = format!("UPDATE ballots SET votes[1] = votes[1] + 1 WHERE id = '{ballot}'");
    stack.database.sql(&altered).await;
    finds(&stack, &[&ballot.to_string()]).await;
    stack.database.sql(&altered.replace("+ 1", "- 1")).await;
    audited(&stack).await;

    let delete = format!("DELETE FROM ballots WHERE id = '{ballot}'");
    stack.database.sql(&delete).await;
    finds(&stack, &[&ballot.to_string()]).await;
    deployment.drain().await;
}

#[tokio::test]
async fn a_counter_changed_by_hand_is_named() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let (deployment, workload) = voted(&stack).await;
    // The reconciled votes of a partition: see `count.lua`.
    let key = "{cast:tally:ada}";
    let members = stack.redis.cli(["ZRANGE", key, "0", "-1"]).await;
    let member = members.lines().find(|member| member.starts_with("b:"));
    let mut parts: Vec<_> = member.unwrap().split(':').map(String::from).collect();
    let reconciled: u64 = parts[3].parse().unwrap();
    parts[3] = (reconciled + 7).to_string();
    stack.redis.cli(["ZREM", key, member.unwrap()]).await;
    stack.redis.cli(["ZADD", key, "0", &parts.join(":")]).await;
    finds(&stack, &["ada"]).await;
    // What it says to do about it.
    stack.redis.cli(["DEL", key]).await;
    check(&stack, &workload, &deployment.clients()).await;
    deployment.drain().await;
}
