//! A Redis Cluster.

use std::time::Duration;

use tokio::{sync::OnceCell, time::timeout};

use super::{Private, Redis, missing::no_server};
use crate::eventually;

/// How many slots a cluster has.
const SLOTS: u16 = 16_384;

/// How long the nodes may take to agree, also on a machine that compiles beside them.
const DEADLINE: Duration = Duration::from_secs(60);

/// After how long a node gives up to take over, and a little more.
const FAILOVER_DEADLINE: Duration = Duration::from_secs(6);

/// The nodes of a Redis Cluster that is the test's alone, and gone when this is dropped.
///
/// Each slot has a master; the slots of a failed master that no replica replaces are down alone.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Private<Redis>>,
    masters: usize,
}

impl RedisCluster {
    /// Starts one of so many masters, each with the same part of the slots, and so many replicas, of
    /// the first masters; `None` if this machine has no Redis. It takes three masters to agree that
    /// one of them is gone.
    ///
    /// # Panics
    ///
    /// When there are more replicas than masters, or the nodes do not agree.
    pub async fn start(masters: usize, replicas: usize) -> Option<Self> {
        assert!(replicas <= masters, "each replica has a master of its own");
        let mut nodes = Vec::new();
        for _ in 0..masters + replicas {
            nodes.push(Private::start(Redis::place_node).await?);
        }
        let cluster = Self { nodes, masters };
        cluster.join().await;
        cluster.until_agreed().await;
        Some(cluster)
    }

    /// The one of three masters that all tests of this process share, which breaks nothing in it;
    /// `None` if this machine has no Redis.
    pub async fn shared() -> Option<&'static Self> {
        // Never dropped, for it is kept in a static; its guards end it with the process.
        static SHARED: OnceCell<Option<RedisCluster>> = OnceCell::const_new();
        let shared = SHARED.get_or_init(async || {
            // Asked here, and not by `start`, for each test that is skipped to say so.
            Redis::place_node().ok()?;
            Self::start(3, 0).await
        });
        let shared = shared.await.as_ref();
        if shared.is_none() {
            no_server("Redis", "redis-server is not on the PATH");
        }
        shared
    }

    /// The nodes: the masters, then the replicas, as they began.
    pub fn nodes(&self) -> &[Private<Redis>] {
        &self.nodes
    }

    /// A node, to break it.
    pub fn node_mut(&mut self, node: usize) -> &mut Private<Redis> {
        &mut self.nodes[node]
    }

    /// The masters that it began with.
    pub fn masters(&self) -> &[Private<Redis>] {
        &self.nodes[..self.masters]
    }

    /// The URLs of the masters that it began with. Each is one of the whole cluster.
    pub fn urls(&self) -> Vec<&str> {
        self.masters().iter().map(|node| node.url()).collect()
    }

    /// Which node the cluster takes for the master of a slot, as a node says; `None` if there is none.
    pub async fn owner(&self, slot: u16, asked: usize) -> Option<usize> {
        let shown = self.nodes[asked].cli(["CLUSTER", "NODES"]).await;
        let port = shown.lines().find_map(|line| {
            let mut words = line.split(' ');
            let (address, flags) = (words.nth(1)?, words.next()?);
            let has_it = words.skip(5).any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let within = |first: u16, last: u16| (first..=last).contains(&slot);
                matches!((first.parse(), last.parse()), (Ok(f), Ok(l)) if within(f, l))
            });
            let is_there = flags.contains("master") && !flags.contains("fail");
            (has_it && is_there).then(|| address.split(['@', ',']).next())?
        })?;
        self.nodes
            .iter()
            .position(|node| node.node_address().0.to_string() == port)
    }

    /// The slot of a key, as the last node says.
    pub async fn slot(&self, key: &str) -> u16 {
        let last = self.nodes.last().expect("a cluster has nodes");
        let slot = last.cli(["CLUSTER", "KEYSLOT", key]).await;
        slot.parse().expect("a slot is a number")
    }

    /// Begins to hand a slot over: keys that are not there any more are asked for at the other node.
    pub async fn begin_handing(&self, slot: u16, from: usize, to: usize) {
        let (source, target) = (self.id(from).await, self.id(to).await);
        self.set_slot(to, slot, &["IMPORTING", &source]).await;
        self.set_slot(from, slot, &["MIGRATING", &target]).await;
    }

    /// Hands over so many of the keys that are left of a slot: how many there were.
    pub async fn hand_keys(&self, slot: u16, from: usize, to: usize, count: usize) -> usize {
        let [slot, count] = [slot.to_string(), count.to_string()];
        let list = ["CLUSTER", "GETKEYSINSLOT", &slot, &count];
        let keys = self.nodes[from].cli(list).await;
        let keys: Vec<&str> = keys.lines().filter(|key| !key.is_empty()).collect();
        let (address, _) = self.nodes[to].node_address();
        for key in &keys {
            let (host, port) = (address.ip().to_string(), address.port().to_string());
            let migrate = ["MIGRATE", &host, &port, key, "0", "5000"];
            self.nodes[from].cli(migrate).await;
        }
        keys.len()
    }

    /// Ends handing a slot over: it is the other node's.
    pub async fn end_handing(&self, slot: u16, from: usize, to: usize) {
        let target = self.id(to).await;
        self.set_slot(to, slot, &["NODE", &target]).await;
        self.set_slot(from, slot, &["NODE", &target]).await;
    }

    /// Hands a slot over with all its keys, one after the other.
    pub async fn hand(&self, slot: u16, from: usize, to: usize) {
        self.begin_handing(slot, from, to).await;
        while self.hand_keys(slot, from, to, 10).await > 0 {}
        self.end_handing(slot, from, to).await;
    }

    /// Makes a replica the master in its master's place, which becomes its replica, and waits until it
    /// says so of that slot, which was its master's.
    pub async fn fail_over(&self, replica: usize, slot: u16) {
        let what = format!("node {replica} takes over");
        eventually(DEADLINE, what, async || {
            self.nodes[replica].cli(["CLUSTER", "FAILOVER"]).await;
            // Masters do not vote twice within a while, and what is not won by then is given up.
            let won = self.until_owner(slot, replica, replica);
            timeout(FAILOVER_DEADLINE, won).await.ok()
        })
        .await;
    }

    /// Waits until a node says that a slot is a certain node's.
    pub async fn until_owner(&self, slot: u16, owner: usize, asked: usize) {
        let what = format!("slot {slot} is node {owner}'s");
        eventually(DEADLINE, what, async || {
            (self.owner(slot, asked).await == Some(owner)).then_some(())
        })
        .await;
    }

    async fn set_slot(&self, node: usize, slot: u16, how: &[&str]) {
        let slot = slot.to_string();
        let command = ["CLUSTER", "SETSLOT", &slot];
        let command = command.iter().chain(how).copied().map(str::to_owned);
        self.nodes[node].cli(command).await;
    }

    async fn id(&self, node: usize) -> String {
        self.nodes[node].cli(["CLUSTER", "MYID"]).await
    }

    /// Gives each master its slots, and lets the nodes meet.
    async fn join(&self) {
        for (at, node) in self.nodes.iter().enumerate() {
            // Two that begin with the same one would have to decide which of them is newer.
            let epoch = (at + 1).to_string();
            node.cli(["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
            if at < self.masters {
                let bound = |at: usize| at * usize::from(SLOTS) / self.masters;
                let (first, last) = (bound(at).to_string(), (bound(at + 1) - 1).to_string());
                node.cli(["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
            }
            if at == 0 {
                continue;
            }
            let (address, bus_port) = node.node_address();
            let (host, port) = (address.ip().to_string(), address.port().to_string());
            let meet = ["CLUSTER", "MEET", &host, &port, &bus_port.to_string()];
            self.nodes[0].cli(meet).await;
        }
        for (at, node) in self.nodes[self.masters..].iter().enumerate() {
            let master = self.id(at).await;
            // Refused as long as it has not heard of its master.
            eventually(DEADLINE, "a replica knows its master", async || {
                let known = node.cli(["CLUSTER", "NODES"]).await;
                known.contains(&master).then_some(())
            })
            .await;
            node.cli(["CLUSTER", "REPLICATE", &master]).await;
        }
    }

    /// Waits until each node knows all others and all slots, and the replicas are up to date.
    async fn until_agreed(&self) {
        eventually(DEADLINE, "the nodes agree", async || {
            for (at, node) in self.nodes.iter().enumerate() {
                let info = node.cli(["CLUSTER", "INFO"]).await;
                let has = |line: String| info.lines().any(|one| one.trim_end() == line);
                let agrees = has("cluster_state:ok".into())
                    && has(format!("cluster_slots_ok:{SLOTS}"))
                    && has(format!("cluster_known_nodes:{}", self.nodes.len()));
                if !agrees || (at >= self.masters && !is_up_to_date(node).await) {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }
}

async fn is_up_to_date(replica: &Redis) -> bool {
    let info = replica.cli(["INFO", "replication"]).await;
    info.contains("role:slave") && info.contains("master_link_status:up")
}
