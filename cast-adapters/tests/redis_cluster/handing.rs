//! Slots that are handed from one node to another while they are used.

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
    breaking::{impatient, issue, votes},
    cluster::{candidates_on, kind, record, redirections, to_break},
    load::Load,
    redis::PATIENCE,
};

/// Each call meets the slot where it is just then; none fails, none counts twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tallies_that_are_handed_over_count_each_vote_once() {
    let Some((cluster, corner)) = to_break(0).await else {
        return;
    };
    let candidates = candidates_on(&cluster, &corner, 1, 4).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut recorders = JoinSet::new();
    for candidate in candidates.clone() {
        let (counter, stop) = (corner.open().counter(), Arc::clone(&stop));
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
            let slot = cluster.slot(&corner.tally(candidate)).await;
            cluster.hand(slot, from, to).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let recorded = within(PATIENCE, "the recorders end", recorders.join_all()).await;
    assert!(redirections(&cluster).await > before, "the slots were used");
    let counter = corner.open().counter();
    for (candidate, recorded) in recorded {
        assert_eq!(votes(&counter, &candidate).await, recorded);
    }
}

/// While a slot is on its way, what is new in it is at the node that it is handed to, and what was
/// there before is not, until it is handed over.
#[tokio::test]
async fn a_slot_on_its_way_has_its_keys_at_two_nodes() {
    let Some((cluster, corner)) = to_break(0).await else {
        return;
    };
    let candidates = candidates_on(&cluster, &corner, 0, 1).await;
    let (alice, slot) = (
        &candidates[0],
        cluster.slot(&corner.tally(&candidates[0])).await,
    );
    let counter = corner.open().counter();
    let is_at = async |node: usize| {
        let count = ["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()];
        cluster.nodes()[node].cli(count).await == "1"
    };

    cluster.begin_handing(slot, 0, 1).await;
    assert_eq!(record(&counter, alice, 0).await.expect("recorded"), 1);
    assert!(is_at(1).await && !is_at(0).await, "it is new");
    // A script that the other node has forgotten is sent whole, and asks again to be taken.
    cluster.nodes()[1].cli(["SCRIPT", "FLUSH"]).await;
    assert_eq!(record(&counter, alice, 1).await.expect("recorded"), 2);
    let asked = redirections(&cluster).await;
    assert_eq!(record(&counter, alice, 2).await.expect("recorded"), 3);
    assert_eq!(
        redirections(&cluster).await,
        asked + 1,
        "it is not that one's yet"
    );
    cluster.end_handing(slot, 0, 1).await;
    assert_eq!(record(&counter, alice, 3).await.expect("recorded"), 4);

    cluster.begin_handing(slot, 1, 2).await;
    assert_eq!(record(&counter, alice, 4).await.expect("recorded"), 5);
    assert!(is_at(1).await, "it is not handed over yet");
    assert_eq!(cluster.hand_keys(slot, 1, 2, 10).await, 1);
    assert_eq!(record(&counter, alice, 5).await.expect("recorded"), 6);
    cluster.end_handing(slot, 1, 2).await;
    assert_eq!(record(&counter, alice, 5).await.expect("recorded"), 6);
    assert_eq!(votes(&corner.open().counter(), alice).await, 6);
}

/// The tickets have several keys. As long as they may be at two nodes neither can decide, and both say
/// so; where the slot ends, it is another server's, which trusts none of the meters.
#[tokio::test]
async fn tickets_on_their_way_are_unavailable_until_they_are_there() {
    let Some((cluster, corner)) = to_break(0).await else {
        return;
    };
    let (tickets, fixtures) = (corner.open().tickets(), Fixtures::new());
    let slot = cluster.slot(&corner.meters()).await;
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
async fn tickets_handed_over_under_load_exceed_no_limit() {
    let Some((cluster, corner)) = to_break(0).await else {
        return;
    };
    let slot = cluster.slot(&corner.meters()).await;
    let (load, tasks) = Load::begin(4, || corner.open());
    for (from, to) in [(0, 1), (1, 0), (0, 2), (2, 0), (0, 1)] {
        load.more_answers().await;
        cluster.hand(slot, from, to).await;
    }
    load.more_answers().await;
    load.end(tasks).await;
    let errors = load.errors();
    assert!(
        errors
            .iter()
            .all(|kind| *kind == PortErrorKind::Unavailable),
        "{errors:?}"
    );
    load.tally_heals(&corner.open().counter()).await;
}

/// A master that becomes a replica keeps its connections, and is asked no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masters_that_are_replaced_by_hand_are_followed() {
    let Some((cluster, corner)) = to_break(1).await else {
        return;
    };
    let slot = cluster.slot(&corner.meters()).await;
    let (load, tasks) = Load::begin(4, || impatient(&corner, &corner.options.url));
    load.more_answers().await;
    for replica in [3, 0, 3] {
        cluster.fail_over(replica, slot).await;
        load.more_answers().await;
        // Else it could not be the next to take over.
        let former = 3 - replica;
        eventually(PATIENCE, "the former master follows", async || {
            let info = cluster.nodes()[former].cli(["INFO", "replication"]).await;
            info.contains("master_link_status:up").then_some(())
        })
        .await;
    }
    load.end(tasks).await;
    let honest = [PortErrorKind::OutcomeUnknown, PortErrorKind::Unavailable];
    let errors = load.errors();
    assert!(
        errors.iter().all(|kind| honest.contains(kind)),
        "{errors:?}"
    );
    load.tally_heals(&corner.open().counter()).await;
}
