//! Nodes that are killed or frozen.

use cast_core::{
    domain::{
        Redemption::{Granted, Refused, Repeated},
        RedemptionRefusal::Unknown,
    },
    ports::{PendingVotes, PortErrorKind, TicketSource, VoteCounter},
};
use cast_testkit::{eventually, fixtures::Fixtures, within};

use crate::{
    cluster::{candidates_on, kind, namespace_on, private_cluster, record},
    faults::{TIMEOUT, issue, pending, votes, with_short_timeouts},
    load::{Load, USES},
    redis::PATIENCE,
};

/// Also for a client that knows only the URL of the killed node, and uses only its tickets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_failover_of_a_killed_master_needs_no_restart() {
    let Some((mut cluster, namespace)) = private_cluster(1).await else {
        return;
    };
    let slot = cluster.slot(&namespace.uses()).await;
    let bob = candidates_on(&cluster, &namespace, 1, 1).await.remove(0);
    let redis = with_short_timeouts(&namespace, cluster.nodes()[0].url());
    let idle = with_short_timeouts(&namespace, cluster.nodes()[0].url()).tickets();
    idle.now().await.expect("it is there");
    let generator = with_short_timeouts(&namespace, cluster.nodes()[0].url()).tickets();
    let (load, tasks) = Load::begin(4, || {
        with_short_timeouts(&namespace, &namespace.options.url)
    });
    let old = issue(&generator, &load.fixtures, USES).await;
    let old = old.expect("published");
    for _ in 0..3 {
        load.wait_for_answers().await;
    }

    cluster.node_mut(0).kill().await;
    eventually(PATIENCE, "its keys are unavailable", async || {
        let error = redis.tickets().now().await.err()?;
        (error.kind() == PortErrorKind::Unavailable).then_some(())
    })
    .await;
    for offset in 0..20 {
        let shown = record(&redis.counter(), &bob, offset).await;
        assert_eq!(
            shown.expect("keys of other nodes are available"),
            offset + 1
        );
    }
    redis.ping().await.expect("other nodes answer");
    for left in 1..4 {
        cluster.until_owner(slot, 3, left).await;
    }
    idle.now().await.expect("an idle client gets no error");
    eventually(PATIENCE, "the new master is found", async || {
        generator.now().await.ok()
    })
    .await;
    load.end(tasks).await;
    load.assert_honest();
    let errors = load.errors();
    assert!(errors.contains(&PortErrorKind::Unavailable), "{errors:?}");
    let answers = redis.tickets().redeem(&old, &load.fixtures.claims(1)).await;
    assert_eq!(answers.expect("it is back"), [Refused(Unknown)]);
    load.tally_recovers(&redis.counter()).await;
}

#[tokio::test]
async fn a_frozen_node_is_unknown_once_and_then_unavailable_and_the_others_are_available() {
    let Some((mut cluster, namespace)) = private_cluster(0).await else {
        return;
    };
    let redis = with_short_timeouts(&namespace, cluster.nodes()[1].url());
    let (tickets, counter, fixtures) = (redis.tickets(), redis.counter(), Fixtures::new());
    let ticket = issue(&tickets, &fixtures, 100).await.expect("published");
    tickets
        .redeem(&ticket, &fixtures.claims(5))
        .await
        .expect("redeemed");
    let (theirs, bob) = (
        candidates_on(&cluster, &namespace, 0, 1).await.remove(0),
        candidates_on(&cluster, &namespace, 2, 1).await.remove(0),
    );
    let both = |offset| PendingVotes {
        votes: vec![(theirs.clone(), 1), (bob.clone(), 1)],
        ..pending(&bob, offset)
    };
    counter.record(&[both(0)], &[]).await.expect("recorded");

    cluster.node_mut(0).freeze().await;
    let asked = fixtures.claims(5);
    let late = within(4 * TIMEOUT, "a deadline", tickets.redeem(&ticket, &asked)).await;
    assert_eq!(kind(late), PortErrorKind::OutcomeUnknown);
    eventually(PATIENCE, "no more commands are sent there", async || {
        let late = within(4 * TIMEOUT, "a deadline", tickets.current()).await;
        (kind(late) == PortErrorKind::Unavailable).then_some(())
    })
    .await;
    for offset in 1..10 {
        let shown = within(
            TIMEOUT,
            "the answer of another node",
            record(&counter, &bob, offset),
        )
        .await;
        assert_eq!(shown.expect("recorded"), offset + 1);
    }
    let pinged = within(TIMEOUT, "it is not waited for", redis.ping()).await;
    pinged.expect("other nodes answer");
    let partly = within(4 * TIMEOUT, "a deadline", counter.record(&[both(10)], &[])).await;
    assert_eq!(
        kind(partly),
        PortErrorKind::OutcomeUnknown,
        "one of two is done"
    );
    assert_eq!(votes(&counter, &bob).await, 11);

    cluster.node_mut(0).thaw().await;
    let answers = eventually(PATIENCE, "the node is used again", async || {
        tickets.redeem(&ticket, &asked).await.ok()
    })
    .await;
    assert!(
        [[Granted; 5], [Repeated; 5]].contains(&answers.clone().try_into().expect("five")),
        "as a whole or not at all: {answers:?}"
    );
    let shown = tickets.current().await.expect("shown").expect("current");
    assert_eq!(shown.uses_left, 90, "no command was sent twice");
    counter.record(&[both(10)], &[]).await.expect("recorded");
    assert_eq!(
        (votes(&counter, &bob).await, votes(&counter, &theirs).await),
        (11, 2)
    );
}

#[tokio::test]
async fn the_node_of_the_url_is_needed_only_at_the_start() {
    let Some((mut cluster, _)) = private_cluster(0).await else {
        return;
    };
    let namespace = namespace_on(&cluster, 1).await;
    let redis = with_short_timeouts(&namespace, cluster.nodes()[0].url());
    redis.ping().await.expect("it is there");
    cluster.node_mut(0).kill().await;
    let fixtures = Fixtures::new();
    let ticket = eventually(PATIENCE, "the other nodes are used", async || {
        issue(&redis.tickets(), &fixtures, 10).await.ok()
    })
    .await;
    let redeemed = redis.tickets().redeem(&ticket, &fixtures.claims(1)).await;
    assert_eq!(redeemed.expect("redeemed"), [Granted]);
}
