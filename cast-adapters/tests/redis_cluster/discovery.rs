//! The discovery of a cluster from the URL of any of its nodes.

use cast_adapters::redis::{Redis, RedisOptions};
use cast_core::{
    domain::{
        Candidate,
        Redemption::{Granted, Repeated},
    },
    ports::{PendingVotes, PortErrorKind, TicketSource, VoteCounter},
};
use cast_testkit::{
    eventually,
    fixtures::Fixtures,
    servers::{self, RedisCluster},
};

use crate::{
    cluster::{candidates_on, kind, private_cluster, redirections},
    faults::{issue, pending, votes, with_short_timeouts},
    redis::{Namespace, PATIENCE},
};

#[tokio::test]
async fn the_url_of_any_node_is_enough() {
    let Some(cluster) = RedisCluster::shared().await else {
        return;
    };
    let mut namespace = Namespace::at(&cluster.urls()).await;
    let fixtures = Fixtures::new();
    let candidates: Vec<Candidate> = (0..40)
        .map(|n| fixtures.candidate(&n.to_string()))
        .collect();
    let claims = fixtures.claims(2);
    let ticket = issue(&namespace.open().tickets(), &fixtures, 10).await;
    let ticket = ticket.expect("published");
    for (offset, url) in (0..).zip(cluster.urls()) {
        url.clone_into(&mut namespace.options.url);
        let redis = namespace.open();
        redis.ping().await.expect("it is there");
        let redeemed = redis.tickets().redeem(&ticket, &claims).await;
        let expected = if offset == 0 { Granted } else { Repeated };
        assert_eq!(redeemed.expect("redeemed"), [expected; 2]);
        let votes = PendingVotes {
            votes: candidates
                .iter()
                .map(|candidate| (candidate.clone(), 1))
                .collect(),
            ..pending(&candidates[0], offset)
        };
        let shown = redis.counter().record(&[votes], &candidates).await;
        for reading in shown.expect("recorded") {
            assert_eq!(reading.tally.votes, offset + 1);
        }
    }
}

/// Otherwise the first call for each slot would be redirected.
#[tokio::test]
async fn the_topology_is_known_with_the_first_connection() {
    let Some((cluster, namespace)) = private_cluster(0).await else {
        return;
    };
    let fixtures = Fixtures::new();
    let candidates: Vec<Candidate> = (0..200)
        .map(|n| fixtures.candidate(&n.to_string()))
        .collect();
    let before = redirections(&cluster).await;
    let redis = namespace.open();
    redis.ping().await.expect("it is there");
    let counter = redis.counter();
    counter.read(&candidates).await.expect("the counter reads");
    assert_eq!(redirections(&cluster).await, before);
}

#[tokio::test]
async fn each_node_has_as_many_connections_as_the_options_say() {
    let Some((cluster, mut namespace)) = private_cluster(1).await else {
        return;
    };
    let (options, mut all) = (&mut namespace.options, Vec::new());
    options.connections = 3;
    // Another name than the one that the nodes announce.
    options.url = options.url.replace("127.0.0.1", "localhost");
    let connected = async |node: usize| {
        let list = cluster.nodes()[node].cli(["CLIENT", "LIST", "TYPE", "normal"]);
        list.await.lines().count()
    };
    let mut before = Vec::new();
    for node in 0..4 {
        before.push(connected(node).await);
    }
    let counter = namespace.open().counter();
    for node in 0..3 {
        all.extend(candidates_on(&cluster, &namespace, node, 5).await);
    }
    for _ in 0..5 {
        counter.read(&all).await.expect("the counter reads");
    }
    for (node, expected) in [3, 3, 3, 0].into_iter().enumerate() {
        let what = format!("{expected} connections to node {node}");
        eventually(PATIENCE, what, async || {
            (connected(node).await == before[node] + expected).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn one_of_the_nodes_in_the_url_is_enough() {
    let Some((mut cluster, mut namespace)) = private_cluster(0).await else {
        return;
    };
    let [gone, there] = [0, 2].map(|node: usize| {
        let url = cluster.nodes()[node].url();
        url.trim_start_matches("redis://")
            .trim_end_matches("/0")
            .to_owned()
    });
    namespace.options.url = format!("redis://{gone},{there}/0");
    let on_both = candidates_on(&cluster, &namespace, 1, 1).await;
    cluster.node_mut(0).kill().await;
    let redis = with_short_timeouts(&namespace, &namespace.options.url);
    redis.ping().await.expect("a node answers");
    assert_eq!(votes(&redis.counter(), &on_both[0]).await, 0);
}

/// Each process would use the server that it reaches, and show other tallies.
#[tokio::test]
async fn several_servers_without_a_cluster_are_misconfigured() {
    let Some((server, namespace)) = crate::faults::private_server().await else {
        return;
    };
    let url = server.url().replace("/0", ",127.0.0.1:1/0");
    let redis = with_short_timeouts(&namespace, &url);
    let error = redis.ping().await.expect_err("it is in no cluster");
    assert_eq!(
        error.kind(),
        PortErrorKind::Misconfigured,
        "{}",
        error.chain()
    );
    let one = with_short_timeouts(&namespace, server.url());
    one.ping()
        .await
        .expect("one address may be a single server");
    let databases = Redis::open(RedisOptions::at("redis://127.0.0.1:1,127.0.0.1:2/1"));
    assert_eq!(kind(databases.map(drop)), PortErrorKind::Misconfigured);
}

#[tokio::test]
async fn the_password_is_sent_to_every_node() {
    let Some((cluster, mut namespace)) = private_cluster(0).await else {
        return;
    };
    let mut all = Vec::new();
    for node in 0..3 {
        all.extend(candidates_on(&cluster, &namespace, node, 1).await);
    }
    for node in cluster.nodes() {
        node.cli(["CONFIG", "SET", "requirepass", "open sesame"])
            .await;
    }
    let url = namespace
        .options
        .url
        .replace("redis://", "redis://:open%20sesame@");
    namespace.options.url = url;
    let readings = namespace.open().counter().read(&all).await;
    readings.expect("the counter reads");
}

/// The user must not run CLUSTER SLOTS, so each slot is learned from a MOVED.
#[tokio::test]
async fn a_user_without_the_permission_for_cluster_slots_is_redirected() {
    let Some((cluster, mut namespace)) = private_cluster(0).await else {
        return;
    };
    let mut all = Vec::new();
    for node in 0..3 {
        all.extend(candidates_on(&cluster, &namespace, node, 2).await);
    }
    for node in cluster.nodes() {
        let rules = ["on", ">secret", "~*", "+@all", "-cluster"];
        node.cli(["ACL", "SETUSER", "cast"].iter().chain(&rules).copied())
            .await;
    }
    let url = namespace
        .options
        .url
        .replace("redis://", "redis://cast:secret@");
    namespace.options.url = url;
    let counter = namespace.open().counter();
    for (offset, candidate) in (0..).zip(&all) {
        counter
            .record(&[pending(candidate, offset)], &[])
            .await
            .expect("recorded");
    }
    let before = redirections(&cluster).await;
    assert!(before >= 4, "{before}");
    assert_eq!(counter.read(&all).await.expect("read").len(), all.len());
    assert_eq!(redirections(&cluster).await, before, "each slot is learned");
}

#[tokio::test]
async fn a_cluster_of_one_node_is_usable() {
    let Some(cluster) = RedisCluster::start(1, 0).await else {
        return;
    };
    let node: &servers::Redis = &cluster.nodes()[0];
    let namespace = Namespace::on(node).await;
    let alice = Fixtures::new().candidate("alice");
    assert_eq!(votes(&namespace.open().counter(), &alice).await, 0);
}
