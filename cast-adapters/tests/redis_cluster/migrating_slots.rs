//! Slots that are migrated to another node while they are used.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use cast_core::{
    domain::Redemption::{Granted, Refused},
    domain::RedemptionRefusal::Unknown,
    ports::{PortErrorKind, TicketSource},
};
use cast_testkit::{eventually, fixtures::Fixtures, within};
use tokio::task::JoinSet;

use crate::{
    cluster::{candidates_on, kind, private_cluster, record, redirections},
    faults::{issue, votes, with_short_timeouts},
    load::Load,
    redis::PATIENCE,
};

/// Each call reaches the node that has the slot; none fails, none counts twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tallies_that_are_migrated_count_each_vote_once() {
    let Some((cluster, namespace)) = private_cluster(0).await else {
        return;
    };
    let candidates = candidates_on(&cluster, &namespace, 1, 4).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut recorders = JoinSet::new();
    for candidate in candidates.clone() {
        let (counter, stop) = (namespace.open().counter(), Arc::clone(&stop));
        recorders.spawn(async move {
            let mut recorded = 0;
            while !stop.load(Ordering::Relaxed) {
                let shown = record(&counter, &candidate, recorded).await;
                recorded += 1;
                assert_eq!(shown.expect("recorded"), recorded);
            }
            (candidate, recorded)
        });
    }
    let before = redirections(&cluster).await;
    for (from, to) in [(1, 2), (2, 0), (0, 1)] {
        for candidate in &candidates {
            let slot = cluster.slot(&namespace.tally(candidate)).await;
            cluster.hand(slot, from, to).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let recorded = within(PATIENCE, "the recorders end", recorders.join_all()).await;
    assert!(redirections(&cluster).await > before, "the slots were used");
    let counter = namespace.open().counter();
    for (candidate, recorded) in recorded {
        assert_eq!(votes(&counter, &candidate).await, recorded);
    }
}

/// While a slot is migrated, its new keys are on the target, and its old keys on the source until each is
/// moved.
#[tokio::test]
async fn a_slot_that_is_migrated_has_its_keys_on_two_nodes() {
    let Some((cluster, namespace)) = private_cluster(0).await else {
        return;
    };
    let candidates = candidates_on(&cluster, &namespace, 0, 1).await;
    let (alice, slot) = (
        &candidates[0],
        cluster.slot(&namespace.tally(&candidates[0])).await,
    );
    let counter = namespace.open().counter();
    let is_at = async |node: usize| {
        let count = ["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()];
        cluster.nodes()[node].cli(count).await == "1"
    };

    cluster.begin_handing(slot, 0, 1).await;
    assert_eq!(record(&counter, alice, 0).await.expect("recorded"), 1);
    assert!(is_at(1).await && !is_at(0).await, "it is new");
    // A script that the target does not have is sent with its source, again after ASKING.
    cluster.nodes()[1].cli(["SCRIPT", "FLUSH"]).await;
    assert_eq!(record(&counter, alice, 1).await.expect("recorded"), 2);
    let asked = redirections(&cluster).await;
    assert_eq!(record(&counter, alice, 2).await.expect("recorded"), 3);
    assert_eq!(
        redirections(&cluster).await,
        asked + 1,
        "the slot does not belong to the target yet"
    );
    cluster.end_handing(slot, 0, 1).await;
    assert_eq!(record(&counter, alice, 3).await.expect("recorded"), 4);

    cluster.begin_handing(slot, 1, 2).await;
    assert_eq!(record(&counter, alice, 4).await.expect("recorded"), 5);
    assert!(is_at(1).await, "the key is not moved yet");
    assert_eq!(cluster.hand_keys(slot, 1, 2, 10).await, 1);
    assert_eq!(record(&counter, alice, 5).await.expect("recorded"), 6);
    cluster.end_handing(slot, 1, 2).await;
    assert_eq!(record(&counter, alice, 5).await.expect("recorded"), 6);
    assert_eq!(votes(&namespace.open().counter(), alice).await, 6);
}

/// The tickets have several keys. While these are on two nodes, neither node can decide. Afterwards the
/// target does not trust the use counters of the source.
#[tokio::test]
async fn tickets_are_unavailable_while_their_slot_is_migrated() {
    let Some((cluster, namespace)) = private_cluster(0).await else {
        return;
    };
    let (tickets, fixtures) = (namespace.open().tickets(), Fixtures::new());
    let slot = cluster.slot(&namespace.uses()).await;
    let ticket = issue(&tickets, &fixtures, 10).await.expect("published");
    let claims = fixtures.claims(3);
    tickets.redeem(&ticket, &claims).await.expect("redeemed");

    cluster.begin_handing(slot, 0, 1).await;
    cluster.hand_keys(slot, 0, 1, 1).await;
    let redeemed = tickets.redeem(&ticket, &claims).await;
    assert_eq!(kind(redeemed), PortErrorKind::Unavailable);
    while cluster.hand_keys(slot, 0, 1, 10).await > 0 {}
    cluster.end_handing(slot, 0, 1).await;
    let redeemed = tickets.redeem(&ticket, &fixtures.claims(1)).await;
    assert_eq!(redeemed.expect("redeemed"), [Refused(Unknown)]);
    assert_eq!(tickets.current().await.expect("shown"), None);
    let ticket = issue(&tickets, &fixtures, 10).await.expect("published");
    let redeemed = tickets.redeem(&ticket, &fixtures.claims(1)).await;
    assert_eq!(redeemed.expect("redeemed"), [Granted]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_that_are_migrated_under_load_exceed_no_limit() {
    let Some((cluster, namespace)) = private_cluster(0).await else {
        return;
    };
    let slot = cluster.slot(&namespace.uses()).await;
    let (load, tasks) = Load::begin(4, || namespace.open());
    for (from, to) in [(0, 1), (1, 0), (0, 2), (2, 0), (0, 1)] {
        load.wait_for_answers().await;
        cluster.hand(slot, from, to).await;
    }
    load.end(tasks).await;
    let errors = load.errors();
    assert!(
        errors
            .iter()
            .all(|kind| *kind == PortErrorKind::Unavailable),
        "{errors:?}"
    );
    load.tally_recovers(&namespace.open().counter()).await;
}

/// A master that becomes a replica keeps its connections, and gets no more commands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manual_failover_is_followed() {
    let Some((cluster, namespace)) = private_cluster(1).await else {
        return;
    };
    let slot = cluster.slot(&namespace.uses()).await;
    let (load, tasks) = Load::begin(4, || {
        with_short_timeouts(&namespace, &namespace.options.url)
    });
    load.wait_for_answers().await;
    for replica in [3, 0, 3] {
        cluster.fail_over(replica, slot).await;
        load.wait_for_answers().await;
        // Otherwise it could not be promoted next.
        let former = 3 - replica;
        eventually(PATIENCE, "the former master follows", async || {
            let info = cluster.nodes()[former].cli(["INFO", "replication"]).await;
            info.contains("master_link_status:up").then_some(())
        })
        .await;
    }
    load.end(tasks).await;
    load.assert_honest();
    load.tally_recovers(&namespace.open().counter()).await;
}
