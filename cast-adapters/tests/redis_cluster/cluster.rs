//! A private cluster, and which node has which keys.

use std::collections::HashSet;

use cast_core::{
    domain::Candidate,
    ports::{PortError, PortErrorKind, VoteCounter},
};
use cast_testkit::{
    fixtures::Fixtures,
    servers::{RedisCluster, random_name},
};

use crate::{faults::pending, redis::Namespace};

/// A cluster of three masters, and a namespace whose tickets are on the first.
pub(crate) async fn private_cluster(replicas: usize) -> Option<(RedisCluster, Namespace)> {
    let cluster = RedisCluster::start(3, replicas).await?;
    let namespace = namespace_on(&cluster, 0).await;
    Some((cluster, namespace))
}

/// A namespace whose tickets are on a given node.
pub(crate) async fn namespace_on(cluster: &RedisCluster, node: usize) -> Namespace {
    let mut namespace = Namespace::at(&cluster.urls()).await;
    while first_owner(cluster.slot(&namespace.uses()).await) != node {
        namespace.options.prefix = random_name();
    }
    namespace
}

/// Candidates whose tallies are on a given node, each in a slot of its own: a slot that two share would be
/// migrated twice.
pub(crate) async fn candidates_on(
    cluster: &RedisCluster,
    namespace: &Namespace,
    node: usize,
    count: usize,
) -> Vec<Candidate> {
    let (fixtures, mut candidates) = (Fixtures::new(), Vec::new());
    let mut slots = HashSet::new();
    for name in 0.. {
        let candidate = fixtures.candidate(&name.to_string());
        let slot = cluster.slot(&namespace.tally(&candidate)).await;
        if first_owner(slot) == node && slots.insert(slot) {
            candidates.push(candidate);
        }
        if candidates.len() == count {
            break;
        }
    }
    candidates
}

/// Which of the three masters has a slot in a new cluster.
fn first_owner(slot: u16) -> usize {
    let begins = |node: usize| node * 16_384 / 3;
    let has_begun = |node: &usize| begins(*node) <= usize::from(slot);
    (0..3).rfind(has_begun).expect("the first begins at 0")
}

/// Records one vote for a candidate.
pub(crate) async fn record(
    counter: &impl VoteCounter,
    candidate: &Candidate,
    offset: u64,
) -> Result<u64, PortError> {
    let votes = [pending(candidate, offset)];
    let shown = counter.record(&votes, std::slice::from_ref(candidate));
    Ok(shown.await?[0].tally.votes)
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, PortError>) -> PortErrorKind {
    result.expect_err("no server answers").kind()
}

/// How often the nodes have answered MOVED or ASK.
pub(crate) async fn redirections(cluster: &RedisCluster) -> u64 {
    let mut said = 0;
    for node in cluster.nodes() {
        let errors = node.cli(["INFO", "errorstats"]).await;
        let counts = errors.lines().filter_map(|line| {
            let line = line.trim_end();
            let moved = line.strip_prefix("errorstat_MOVED:count=");
            moved.or_else(|| line.strip_prefix("errorstat_ASK:count="))
        });
        let counts = counts.map(|count| count.parse::<u64>().expect("a number"));
        said += counts.sum::<u64>();
    }
    said
}
