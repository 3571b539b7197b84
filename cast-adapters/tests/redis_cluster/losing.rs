//! Nodes that are gone.

use cast_core::{
    domain::{
        Redemption::{Granted, Refused, Repeated},
        RedemptionRefusal::Unknown,
    },
    ports::{PendingVotes, PortErrorKind, TicketSource, VoteCounter},
};
use cast_testkit::{eventually, fixtures::Fixtures, within};

use crate::{
    breaking::{TIMEOUT, impatient, issue, tail, votes},
    cluster::{candidates_on, corner_on, kind, record, to_break},
    load::{Load, USES},
    redis::PATIENCE,
};

const HONEST: [PortErrorKind; 2] = [PortErrorKind::OutcomeUnknown, PortErrorKind::Unavailable];

/// Also one that was told of no node but the one that is gone, and asked it for nothing but tickets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_died_is_replaced_without_a_restart() {
    let Some((mut cluster, corner)) = to_break(1).await else {
        return;
    };
    let slot = cluster.slot(&corner.meters()).await;
    let bob = candidates_on(&cluster, &corner, 1, 1).await.remove(0);
    let redis = impatient(&corner, cluster.nodes()[0].url());
    let idle = impatient(&corner, cluster.nodes()[0].url()).tickets();
    idle.now().await.expect("it is there");
    let generator = impatient(&corner, cluster.nodes()[0].url()).tickets();
    let (load, tasks) = Load::begin(4, || impatient(&corner, &corner.options.url));
    let old = issue(&generator, &load.fixtures, USES).await;
    let old = old.expect("published");
    for _ in 0..3 {
        load.more_answers().await;
    }

    cluster.node_mut(0).kill().await;
    eventually(PATIENCE, "what it had is unavailable", async || {
        let error = redis.tickets().now().await.err()?;
        (error.kind() == PortErrorKind::Unavailable).then_some(())
    })
    .await;
    for offset in 0..20 {
        let shown = record(&redis.counter(), &bob, offset).await;
        assert_eq!(shown.expect("what others have goes on"), offset + 1);
    }
    redis.ping().await.expect("there are others");
    for left in 1..4 {
        cluster.until_owner(slot, 3, left).await;
    }
    idle.now().await.expect("who did not notice is not told");
    eventually(PATIENCE, "the new master is found", async || {
        generator.now().await.ok()
    })
    .await;
    load.more_answers().await;
    load.end(tasks).await;
    let errors = load.errors();
    assert!(
        errors.iter().all(|kind| HONEST.contains(kind)),
        "{errors:?}"
    );
    assert!(errors.contains(&PortErrorKind::Unavailable), "{errors:?}");
    let answers = redis.tickets().redeem(&old, &load.fixtures.claims(1)).await;
    assert_eq!(answers.expect("it is back"), [Refused(Unknown)]);
    load.tally_heals(&redis.counter()).await;
}

#[tokio::test]
async fn a_frozen_node_is_unknown_once_and_then_unavailable_and_the_others_go_on() {
    let Some((mut cluster, corner)) = to_break(0).await else {
        return;
    };
    let redis = impatient(&corner, cluster.nodes()[1].url());
    let (tickets, counter, fixtures) = (redis.tickets(), redis.counter(), Fixtures::new());
    let ticket = issue(&tickets, &fixtures, 100).await.expect("published");
    tickets
        .redeem(&ticket, &fixtures.claims(5))
        .await
        .expect("redeemed");
    let (theirs, bob) = (
        candidates_on(&cluster, &corner, 0, 1).await.remove(0),
        candidates_on(&cluster, &corner, 2, 1).await.remove(0),
    );
    let both = |offset| PendingVotes {
        votes: vec![(theirs.clone(), 1), (bob.clone(), 1)],
        ..tail(&bob, offset)
    };
    counter.record(&[both(0)], &[]).await.expect("recorded");

    cluster.node_mut(0).freeze().await;
    let asked = fixtures.claims(5);
    let late = within(4 * TIMEOUT, "a deadline", tickets.redeem(&ticket, &asked)).await;
    assert_eq!(kind(late), PortErrorKind::OutcomeUnknown);
    eventually(PATIENCE, "nothing more is sent there", async || {
        let late = within(4 * TIMEOUT, "a deadline", tickets.current()).await;
        (kind(late) == PortErrorKind::Unavailable).then_some(())
    })
    .await;
    for offset in 1..10 {
        let shown = within(
            TIMEOUT,
            "the others' answer",
            record(&counter, &bob, offset),
        )
        .await;
        assert_eq!(shown.expect("recorded"), offset + 1);
    }
    let there = within(TIMEOUT, "nobody waits for it", redis.ping()).await;
    there.expect("there are others");
    let partly = within(4 * TIMEOUT, "a deadline", counter.record(&[both(10)], &[])).await;
    assert_eq!(
        kind(partly),
        PortErrorKind::OutcomeUnknown,
        "one of two is done"
    );
    assert_eq!(votes(&counter, &bob).await, 11);

    cluster.node_mut(0).thaw().await;
    let answers = eventually(PATIENCE, "the way back is found", async || {
        tickets.redeem(&ticket, &asked).await.ok()
    })
    .await;
    assert!(
        [[Granted; 5], [Repeated; 5]].contains(&answers.clone().try_into().expect("five")),
        "as a whole or not at all: {answers:?}"
    );
    let shown = tickets.current().await.expect("shown").expect("current");
    assert_eq!(shown.uses_left, 90, "nothing was sent twice");
    counter.record(&[both(10)], &[]).await.expect("recorded");
    assert_eq!(
        (votes(&counter, &bob).await, votes(&counter, &theirs).await),
        (11, 2)
    );
}

/// The node that a process was told of may be gone for good.
#[tokio::test]
async fn the_node_of_the_url_is_needed_only_at_first() {
    let Some((mut cluster, _)) = to_break(0).await else {
        return;
    };
    let corner = corner_on(&cluster, 1).await;
    let redis = impatient(&corner, cluster.nodes()[0].url());
    redis.ping().await.expect("it is there");
    cluster.node_mut(0).kill().await;
    let fixtures = Fixtures::new();
    let ticket = eventually(PATIENCE, "the others are found", async || {
        issue(&redis.tickets(), &fixtures, 10).await.ok()
    })
    .await;
    let redeemed = redis.tickets().redeem(&ticket, &fixtures.claims(1)).await;
    assert_eq!(redeemed.expect("redeemed"), [Granted]);
}
