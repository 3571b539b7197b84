//! The servers that keys are on: one, or the nodes of a cluster, and who has which slot.
//!
//! Nobody says which of the two it is. Each server is asked by every new connection, before its
//! first call, who its cluster is; one that is in none says so, and is all there is. What is known of
//! a cluster is only a guess: whoever is asked for a slot that is another's says whose it is.

use std::sync::{Arc, OnceLock, RwLock, RwLockReadGuard, Weak};

use bb8_redis::redis::{
    Client, ConnectionAddr, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, cmd,
};

use super::{
    RedisOptions,
    address::{self, Origin},
    error::Cause,
    link::{Link, Links},
    slot::SLOTS,
    view::{Place, View, redirection},
};

/// How many nodes a call may be sent to, or wait for, one after the other: a node that is gone, one
/// that knows who took over, that one, one that is being handed the slot, and as many to spare.
pub(super) const HOPS: usize = 6;

/// All that are known.
pub(super) struct Nodes {
    /// For those who connect, to tell what they learn.
    this: Weak<Self>,
    options: RedisOptions,
    origin: Origin,
    known: RwLock<Known>,
}

/// One server, and the connections to it from when it is first needed.
pub(super) struct Node {
    address: ConnectionAddr,
    client: Client,
    links: OnceLock<Links>,
}

/// What is known at a moment.
pub(super) struct Known {
    clustered: bool,
    /// At least one.
    nodes: Vec<Arc<Node>>,
    /// By slot, each one of `nodes`; empty as long as nobody said anything.
    owners: Vec<Option<Arc<Node>>>,
}

impl Nodes {
    /// Begins to connect to the first address, and does not wait for it.
    pub(super) fn open(options: &RedisOptions) -> Result<Arc<Self>, Cause> {
        let origin = Origin::of(options)?;
        let nodes = origin.addresses().map(|address| {
            let client = address::client(origin.info(address), options);
            let node = Node::new(address.clone(), client.map_err(Cause::Address)?);
            Ok(Arc::new(node))
        });
        let known = Known {
            clustered: false,
            nodes: nodes.collect::<Result<_, Cause>>()?,
            owners: Vec::new(),
        };
        let nodes = Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            options: options.clone(),
            origin,
            known: RwLock::new(known),
        });
        nodes.links(&nodes.known().nodes[0]);
        Ok(nodes)
    }

    /// Asks whether there is anybody. With many, one is enough.
    pub(super) async fn ping(&self) -> Result<(), Cause> {
        let mut tried = Vec::new();
        let mut node = self.known().somebody();
        loop {
            let answer = match self.link(&node).await {
                Ok(mut link) => link.command(&cmd("PING")).await.map_err(Cause::Command),
                Err(cause) => Err(cause),
            };
            let Err(cause) = answer else { return Ok(()) };
            tried.push(node);
            node = match self.another(None, &tried) {
                Some(another) if tried.len() < HOPS && !cause.is_misconfigured() => another,
                _ => return Err(cause),
            };
        }
    }

    /// A connection to a node.
    pub(super) async fn link(&self, node: &Node) -> Result<Link, Cause> {
        self.links(node).link().await
    }

    fn links<'a>(&self, node: &'a Node) -> &'a Links {
        let open = || Links::open(&node.client, &self.options, Weak::clone(&self.this));
        node.links.get_or_init(open)
    }

    /// What is known now, for a moment: nobody learns anything meanwhile.
    pub(super) fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().expect("nobody panics with it")
    }

    /// Whom to ask when these could not say: who has the slot, or may know who has.
    pub(super) fn another(&self, slot: Option<usize>, tried: &[Arc<Node>]) -> Option<Arc<Node>> {
        let mut known = self.known.write().expect("nobody panics with it");
        let best = known.best(slot, tried);
        if best.as_ref().is_some_and(|node| !node.is_lost()) {
            return best;
        }
        // All that were heard of are gone, but there may be others where one began.
        let is_new = |address: &&ConnectionAddr| {
            let heard_of = known.nodes.iter().chain(tried);
            !heard_of.into_iter().any(|node| node.address == **address)
        };
        let origin = self.origin.addresses().find(is_new);
        let origin = origin.and_then(|address| self.node_at(address.clone()));
        known.nodes.extend(origin.clone());
        origin.or(best)
    }

    /// Where a redirection leads to; with `owns`, the slot that it is about is that node's from now on.
    fn redirected(&self, error: &RedisError, asked: &Node, owns: bool) -> Option<Arc<Node>> {
        let (slot, place) = redirection(error, &asked.address)?;
        let mut known = self.known.write().expect("nobody panics with it");
        let node = self.known_or_new(&mut known, &place)?;
        known.clustered = true;
        if owns {
            known.owners.resize(SLOTS, None);
            known.owners[slot] = Some(Arc::clone(&node));
        }
        Some(node)
    }

    /// Who has a slot, by what a node said that was asked for it and has it not.
    pub(super) fn moved(&self, error: &RedisError, asked: &Node) -> Option<Arc<Node>> {
        self.redirected(error, asked, true)
    }

    /// Who is being handed the slot, and has what the node that was asked has no longer, or not yet.
    pub(super) fn handed_on(&self, error: &RedisError, asked: &Node) -> Option<Arc<Node>> {
        self.redirected(error, asked, false)
    }

    /// Takes over what a server said that was asked for its cluster.
    pub(super) fn told(&self, said: RedisResult<Value>, asked: &ConnectionAddr) -> RedisResult<()> {
        match said {
            Ok(answer) => self.learn(&View::of(&answer, asked)),
            Err(error) if !is_refusal(&error) => return Err(error),
            // Two servers that know nothing of each other would show each voter another tally.
            Err(error) if self.origin.is_cluster() => {
                let why = "of the servers of the URL, one is in no cluster, or does not tell";
                let kind = ErrorKind::InvalidClientConfig;
                return Err(RedisError::from((kind, why, error.to_string())));
            }
            // One server; or one that keeps it to itself, and will say MOVED if it must.
            Err(_) => {}
        }
        Ok(())
    }

    fn learn(&self, view: &View) {
        let mut known = self.known.write().expect("nobody panics with it");
        known.clustered = true;
        // A node that nobody has met yet knows of no slot.
        if view.ranges.is_empty() {
            return;
        }
        known.owners.resize(SLOTS, None);
        let nodes: Vec<Option<Arc<Node>>> = view
            .places
            .iter()
            .map(|place| self.known_or_new(&mut known, place))
            .collect();
        for (first, last, master) in &view.ranges {
            known.owners[*first..=*last].fill(nodes[*master].clone());
        }
        let mut nodes: Vec<Arc<Node>> = nodes.into_iter().flatten().collect();
        // Somebody else may have told of an owner that this node has not heard of.
        for owner in known.owners.iter().flatten() {
            if !nodes.iter().any(|node| Arc::ptr_eq(node, owner)) {
                nodes.push(Arc::clone(owner));
            }
        }
        // Whoever is left out here is closed when the last of its calls is answered: a node that
        // left, or another name of one that is there.
        if !nodes.is_empty() {
            known.nodes = nodes;
        }
    }

    fn known_or_new(&self, known: &mut Known, place: &Place) -> Option<Arc<Node>> {
        let address = self.origin.beside(place);
        let same = known.nodes.iter().find(|node| node.address == address);
        if let Some(node) = same {
            return Some(Arc::clone(node));
        }
        let node = self.node_at(address)?;
        known.nodes.push(Arc::clone(&node));
        Some(node)
    }

    /// A node that is not connected to yet; `None` if its address makes no sense.
    fn node_at(&self, address: ConnectionAddr) -> Option<Arc<Node>> {
        let client = address::client(self.origin.info(&address), &self.options);
        client
            .ok()
            .map(|client| Arc::new(Node::new(address, client)))
    }
}

impl Known {
    /// Whether there are slots to tell apart.
    pub(super) fn is_clustered(&self) -> bool {
        self.clustered
    }

    /// Anybody who is there, as far as one knows.
    pub(super) fn somebody(&self) -> Arc<Node> {
        let best = self.best(None, &[]);
        best.expect("there is always a node")
    }

    /// Who has a slot, or who may know who has.
    pub(super) fn owner(&self, slot: usize) -> Arc<Node> {
        match self.owners.get(slot) {
            Some(Some(owner)) if !owner.is_lost() => Arc::clone(owner),
            _ => {
                let best = self.best(Some(slot), &[]);
                best.expect("there is always a node")
            }
        }
    }

    /// Of those that were not tried: one that is there before one that seems lost, the owner before
    /// the others, one that is connected to before one that is not.
    fn best(&self, slot: Option<usize>, tried: &[Arc<Node>]) -> Option<Arc<Node>> {
        let owner = slot.and_then(|slot| self.owners.get(slot)?.as_ref());
        let is_tried = |node: &Arc<Node>| tried.iter().any(|one| Arc::ptr_eq(one, node));
        let untried = self.nodes.iter().filter(|node| !is_tried(node));
        let best = untried.min_by_key(|node| {
            let is_owner = owner.is_some_and(|owner| Arc::ptr_eq(owner, node));
            (node.is_lost(), !is_owner, node.links.get().is_none())
        });
        best.cloned()
    }
}

impl Node {
    fn new(address: ConnectionAddr, client: Client) -> Self {
        Self {
            address,
            client,
            links: OnceLock::new(),
        }
    }

    /// Whether the last that was heard of it is that it did not answer.
    fn is_lost(&self) -> bool {
        self.links.get().is_some_and(Links::is_lost)
    }
}

/// Whether a server has answered that it does not tell, now or ever.
fn is_refusal(error: &RedisError) -> bool {
    use ErrorKind::{Extension, Server};
    matches!(
        error.kind(),
        Extension | Server(ServerErrorKind::ResponseError | ServerErrorKind::NoPerm)
    )
}
