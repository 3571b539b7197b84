//! How a cluster is found: by any of its nodes, and with nothing else said.

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
    breaking::{impatient, issue, tail, votes},
    cluster::{candidates_on, kind, redirections, to_break},
    redis::{Corner, PATIENCE},
};

#[tokio::test]
async fn any_node_is_the_whole_cluster() {
    let Some(cluster) = RedisCluster::shared().await else {
        return;
    };
    let mut corner = Corner::at(&cluster.urls()).await;
    let fixtures = Fixtures::new();
    let everybody: Vec<Candidate> = (0..40)
        .map(|n| fixtures.candidate(&n.to_string()))
        .collect();
    let claims = fixtures.claims(2);
    let ticket = issue(&corner.open().tickets(), &fixtures, 10).await;
    let ticket = ticket.expect("published");
    for (offset, url) in (0..).zip(cluster.urls()) {
        url.clone_into(&mut corner.options.url);
        let redis = corner.open();
        redis.ping().await.expect("it is there");
        let redeemed = redis.tickets().redeem(&ticket, &claims).await;
        let expected = if offset == 0 { Granted } else { Repeated };
        assert_eq!(redeemed.expect("redeemed"), [expected; 2]);
        let tail = PendingVotes {
            votes: everybody.iter().map(|who| (who.clone(), 1)).collect(),
            ..tail(&everybody[0], offset)
        };
        let shown = redis.counter().record(&[tail], &everybody).await;
        for reading in shown.expect("recorded") {
            assert_eq!(reading.tally.votes, offset + 1);
        }
    }
}

/// Else the first call of each slot would have to be sent twice.
#[tokio::test]
async fn what_is_where_is_learned_with_the_first_connection() {
    let Some((cluster, corner)) = to_break(0).await else {
        return;
    };
    let fixtures = Fixtures::new();
    let everybody: Vec<Candidate> = (0..200)
        .map(|n| fixtures.candidate(&n.to_string()))
        .collect();
    let before = redirections(&cluster).await;
    let redis = corner.open();
    redis.ping().await.expect("it is there");
    let counter = redis.counter();
    counter.read(&everybody).await.expect("the counter reads");
    assert_eq!(redirections(&cluster).await, before);
}

#[tokio::test]
async fn each_node_has_as_many_connections_as_the_options_say() {
    let Some((cluster, mut corner)) = to_break(1).await else {
        return;
    };
    let (options, mut all) = (&mut corner.options, Vec::new());
    options.connections = 3;
    // By another name than the one that the nodes have for each other.
    options.url = options.url.replace("127.0.0.1", "localhost");
    let connected = async |node: usize| {
        let list = cluster.nodes()[node].cli(["CLIENT", "LIST", "TYPE", "normal"]);
        list.await.lines().count()
    };
    let mut before = Vec::new();
    for node in 0..4 {
        before.push(connected(node).await);
    }
    let counter = corner.open().counter();
    for node in 0..3 {
        all.extend(candidates_on(&cluster, &corner, node, 5).await);
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
    let Some((mut cluster, mut corner)) = to_break(0).await else {
        return;
    };
    let [gone, there] = [0, 2].map(|node: usize| {
        let url = cluster.nodes()[node].url();
        url.trim_start_matches("redis://")
            .trim_end_matches("/0")
            .to_owned()
    });
    corner.options.url = format!("redis://{gone},{there}/0");
    let on_both = candidates_on(&cluster, &corner, 1, 1).await;
    cluster.node_mut(0).kill().await;
    let redis = impatient(&corner, &corner.options.url);
    redis.ping().await.expect("somebody is there");
    assert_eq!(votes(&redis.counter(), &on_both[0]).await, 0);
}

/// Each process would use the one that it reaches, and show its own tallies.
#[tokio::test]
async fn several_servers_that_are_no_cluster_are_misconfigured() {
    let Some((server, corner)) = crate::breaking::to_break().await else {
        return;
    };
    let url = server.url().replace("/0", ",127.0.0.1:1/0");
    let redis = impatient(&corner, &url);
    let error = redis.ping().await.expect_err("it is in no cluster");
    assert_eq!(
        error.kind(),
        PortErrorKind::Misconfigured,
        "{}",
        error.chain()
    );
    let one = impatient(&corner, server.url());
    one.ping().await.expect("by itself it will do");
    let databases = Redis::open(RedisOptions::at("redis://127.0.0.1:1,127.0.0.1:2/1"));
    assert_eq!(kind(databases.map(drop)), PortErrorKind::Misconfigured);
}

#[tokio::test]
async fn the_password_goes_to_every_node() {
    let Some((cluster, mut corner)) = to_break(0).await else {
        return;
    };
    let mut all = Vec::new();
    for node in 0..3 {
        all.extend(candidates_on(&cluster, &corner, node, 1).await);
    }
    for node in cluster.nodes() {
        node.cli(["CONFIG", "SET", "requirepass", "open sesame"])
            .await;
    }
    let url = corner
        .options
        .url
        .replace("redis://", "redis://:open%20sesame@");
    corner.options.url = url;
    let readings = corner.open().counter().read(&all).await;
    readings.expect("the counter reads");
}

/// The user may not ask who is in the cluster, and is told of slots one by one.
#[tokio::test]
async fn a_user_who_may_not_ask_is_redirected() {
    let Some((cluster, mut corner)) = to_break(0).await else {
        return;
    };
    let mut all = Vec::new();
    for node in 0..3 {
        all.extend(candidates_on(&cluster, &corner, node, 2).await);
    }
    for node in cluster.nodes() {
        let rules = ["on", ">secret", "~*", "+@all", "-cluster"];
        node.cli(["ACL", "SETUSER", "cast"].iter().chain(&rules).copied())
            .await;
    }
    let url = corner
        .options
        .url
        .replace("redis://", "redis://cast:secret@");
    corner.options.url = url;
    let counter = corner.open().counter();
    for (offset, candidate) in (0..).zip(&all) {
        counter
            .record(&[tail(candidate, offset)], &[])
            .await
            .expect("recorded");
    }
    let before = redirections(&cluster).await;
    assert!(before >= 4, "{before}");
    assert_eq!(counter.read(&all).await.expect("read").len(), all.len());
    assert_eq!(redirections(&cluster).await, before, "each slot is learned");
}

#[tokio::test]
async fn a_single_server_that_could_be_a_cluster_needs_nobody_else() {
    let Some(cluster) = RedisCluster::start(1, 0).await else {
        return;
    };
    let node: &servers::Redis = &cluster.nodes()[0];
    let corner = Corner::on(node).await;
    let alice = Fixtures::new().candidate("alice");
    assert_eq!(votes(&corner.open().counter(), &alice).await, 0);
}
