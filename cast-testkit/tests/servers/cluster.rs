use cast_testkit::servers::RedisCluster;

use crate::client::is_alive;

#[tokio::test]
async fn a_cluster_shares_its_slots_and_hands_them_over() {
    let Some(cluster) = RedisCluster::start(3, 0).await else {
        return;
    };
    let slot = cluster.slot("key").await;
    let owner = cluster.owner(slot, 0).await.expect("each slot has one");
    let (here, there) = (&cluster.nodes()[owner], (owner + 1) % 3);
    assert_eq!(here.cli(["SET", "key", "value"]).await, "OK");
    cluster.hand(slot, owner, there).await;
    cluster.until_owner(slot, there, owner).await;
    assert_eq!(cluster.nodes()[there].cli(["GET", "key"]).await, "value");
    assert_eq!(here.cli(["DBSIZE"]).await, "0");
}

#[tokio::test]
async fn a_replica_takes_over_and_the_nodes_that_are_left_go_on() {
    let Some(mut cluster) = RedisCluster::start(3, 1).await else {
        return;
    };
    assert_eq!(cluster.owner(0, 1).await, Some(0));
    cluster.node_mut(0).kill().await;
    cluster.until_owner(0, 3, 1).await;
    // No replica takes over from this one, and no other slot is affected.
    cluster.node_mut(2).kill().await;
    let key = key_in(&cluster, 0..5_461).await;
    assert_eq!(cluster.nodes()[3].cli(["SET", &key, "value"]).await, "OK");
}

/// A key whose slot is among these.
async fn key_in(cluster: &RedisCluster, slots: std::ops::Range<u16>) -> String {
    let mut n = 0;
    loop {
        let key = format!("key {n}");
        if slots.contains(&cluster.slot(&key).await) {
            return key;
        }
        n += 1;
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_cluster() {
    let Some(mut cluster) = RedisCluster::start(3, 1).await else {
        return;
    };
    let traces: Vec<_> = (0..4)
        .map(|node| {
            let node = cluster.node_mut(node);
            (node.pid().expect("it runs"), node.folder().to_owned())
        })
        .collect();
    cluster.node_mut(1).freeze().await;
    let test = tokio::spawn(async move {
        let _cluster = cluster;
        panic!("as a test does that fails");
    });
    assert!(test.await.is_err());
    for (pid, folder) in traces {
        assert!(!is_alive(pid) && !folder.exists(), "{pid} {folder:?}");
    }
}
