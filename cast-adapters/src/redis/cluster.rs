//! The servers of the URL: a single one, or the nodes of a cluster and their slots.
//!
//! The options do not say which of the two it is. Each new connection asks `CLUSTER SLOTS` before its
//! first command, and a single server refuses. The topology is a hint only: a node that is asked for a
//! slot of another node answers MOVED, and that corrects it.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use bb8_redis::redis::{
    ConnectionAddr, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value,
    cluster_routing::Slot,
};
use parking_lot::Mutex;

use super::{
    address::{self, Endpoints},
    error::Cause,
    node::{Node, SlotsListener},
    options::RedisOptions,
    slots::{NodeAddress, SlotRange, redirection, slot_ranges},
};

/// How many nodes a command is sent to, or waits for, at most: one that is gone, one that knows its
/// successor, the successor, one that a slot migrates to, and two to spare.
pub(super) const MAX_REDIRECTS: usize = 6;

pub(super) struct Cluster {
    options: Arc<RedisOptions>,
    endpoints: Endpoints,
    topology: Mutex<Topology>,
    on_slots: SlotsListener,
}

/// The nodes as the last answers described them.
#[derive(Default)]
struct Topology {
    /// At least one.
    nodes: Vec<Arc<Node>>,
    /// Empty for a single server.
    masters: HashMap<Slot, Arc<Node>>,
}

impl Cluster {
    /// Begins to connect to the first address of the URL, and does not wait for it.
    pub(super) fn open(options: &Arc<RedisOptions>) -> Result<Arc<Self>, Cause> {
        let endpoints = Endpoints::parse(options)?;
        let cluster = Arc::new_cyclic(|cluster: &Weak<Self>| {
            let cluster = Weak::clone(cluster);
            Self {
                options: Arc::clone(options),
                endpoints,
                topology: Mutex::default(),
                on_slots: Arc::new(move |answer, asked| match cluster.upgrade() {
                    Some(cluster) => cluster.slots_received(answer, asked),
                    None => Ok(()),
                }),
            }
        });
        let nodes = cluster.endpoints.addresses.iter();
        let nodes = nodes.map(|address| cluster.new_node(address.clone()));
        let nodes: Vec<_> = nodes.collect::<RedisResult<_>>().map_err(Cause::Address)?;
        let first = Arc::clone(&nodes[0]);
        cluster.topology.lock().nodes = nodes;
        // Not before: what the node answers changes the topology.
        first.connect();
        Ok(cluster)
    }

    /// Whether any node answers.
    pub(super) async fn ping(&self) -> Result<(), Cause> {
        let mut failed = Vec::new();
        let mut node = self.master(None);
        loop {
            let Err(cause) = node.ping().await else {
                return Ok(());
            };
            failed.push(node);
            node = match self.next_node(None, &failed) {
                Some(next) if failed.len() < MAX_REDIRECTS && !cause.is_misconfigured() => next,
                _ => return Err(cause),
            };
        }
    }

    /// The node to send a command for a slot to: its master, or a node that may know it.
    pub(super) fn master(&self, slot: Option<Slot>) -> Arc<Node> {
        let best = self.topology.lock().best(slot, &[]);
        best.expect("a topology has at least one node")
    }

    /// The node to send a command to when `failed` could not carry it out: the master of its slot, or
    /// one that may know it.
    pub(super) fn next_node(&self, slot: Option<Slot>, failed: &[Arc<Node>]) -> Option<Arc<Node>> {
        let mut topology = self.topology.lock();
        let best = topology.best(slot, failed);
        if best.as_ref().is_some_and(|node| !node.is_unreachable()) {
            return best;
        }
        // No known node answers, but an address of the URL may lead to a new one.
        let is_new = |address: &&ConnectionAddr| {
            let mut known = topology.nodes.iter().chain(failed);
            !known.any(|node| node.address == **address)
        };
        let new = self.endpoints.addresses.iter().find(is_new);
        let new = new.and_then(|address| self.new_node(address.clone()).ok());
        topology.nodes.extend(new.clone());
        new.or(best)
    }

    /// The node that a MOVED or ASK names. MOVED also changes the topology: the slot belongs to that
    /// node. ASK does not: the slot is still being migrated.
    pub(super) fn redirect_target(&self, error: &RedisError, asked: &Node) -> Option<Arc<Node>> {
        let (slot, address) = redirection(error, &asked.address)?;
        let mut topology = self.topology.lock();
        let node = self.node_at(&mut topology, &address).ok()?;
        if error.kind() == ServerErrorKind::Moved.into() {
            topology.masters.insert(slot, Arc::clone(&node));
        }
        Some(node)
    }

    fn slots_received(
        &self,
        answer: RedisResult<Value>,
        asked: &ConnectionAddr,
    ) -> RedisResult<()> {
        match answer {
            Ok(answer) => self.update(&slot_ranges(&answer, asked)),
            Err(error) if !is_refusal(&error) => Err(error),
            // Two servers that know nothing of each other would show different tallies.
            Err(error) if self.endpoints.is_cluster() => Err(RedisError::from((
                ErrorKind::InvalidClientConfig,
                "the URL names several servers, and one of them is not in a cluster or does not \
                 allow CLUSTER SLOTS",
                error.to_string(),
            ))),
            // A single server; or a node whose user may not ask. The latter answers MOVED.
            Err(_) => Ok(()),
        }
    }

    fn update(&self, ranges: &[SlotRange]) -> RedisResult<()> {
        // A node that has not met the others yet knows of no slot.
        if ranges.is_empty() {
            return Ok(());
        }
        let mut topology = self.topology.lock();
        let mut named = Vec::new();
        for range in ranges {
            let master = self.node_at(&mut topology, &range.master)?;
            for &slot in &range.slots {
                topology.masters.insert(slot, Arc::clone(&master));
            }
            named.push(master);
            for replica in &range.replicas {
                named.push(self.node_at(&mut topology, replica)?);
            }
        }
        // A master that only another node has named so far stays. Any other node left the cluster, or
        // is one of these under another name; it closes when its last command is answered.
        let Topology { nodes, masters } = &mut *topology;
        nodes.retain(|node| {
            contains(&named, node) || masters.values().any(|it| Arc::ptr_eq(it, node))
        });
        Ok(())
    }

    fn node_at(&self, topology: &mut Topology, address: &NodeAddress) -> RedisResult<Arc<Node>> {
        let address = self.endpoints.address_of(address);
        if let Some(known) = topology.nodes.iter().find(|node| node.address == address) {
            return Ok(Arc::clone(known));
        }
        let node = self.new_node(address)?;
        topology.nodes.push(Arc::clone(&node));
        Ok(node)
    }

    fn new_node(&self, address: ConnectionAddr) -> RedisResult<Arc<Node>> {
        let roots = self.options.root_certificates.as_deref();
        let client = address::client(self.endpoints.connection_info(&address), roots)?;
        let (options, on_slots) = (Arc::clone(&self.options), Arc::clone(&self.on_slots));
        Ok(Arc::new(Node::new(address, client, options, on_slots)))
    }
}

impl Topology {
    /// The best node that is not among `failed`: one that answers before one that is unreachable, then
    /// the master of the slot, then one that is connected to.
    fn best(&self, slot: Option<Slot>, failed: &[Arc<Node>]) -> Option<Arc<Node>> {
        let master = slot.and_then(|slot| self.masters.get(&slot));
        let untried = self.nodes.iter().filter(|node| !contains(failed, node));
        let best = untried.min_by_key(|node| {
            let is_master = master.is_some_and(|master| Arc::ptr_eq(master, node));
            (node.is_unreachable(), !is_master, !node.is_connected())
        });
        best.cloned()
    }
}

pub(super) fn contains(nodes: &[Arc<Node>], node: &Arc<Node>) -> bool {
    nodes.iter().any(|one| Arc::ptr_eq(one, node))
}

/// Whether the server answered that it does not allow the command, or does not have it.
fn is_refusal(error: &RedisError) -> bool {
    use ErrorKind::{Extension, Server};
    matches!(
        error.kind(),
        Extension | Server(ServerErrorKind::ResponseError | ServerErrorKind::NoPerm)
    )
}
