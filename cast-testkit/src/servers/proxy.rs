//! A link that can be broken while both of its ends are well.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until},
};

use super::url;

/// How much of what is on its way the link holds, in chunks of at most [`CHUNK_BYTES`].
const CHUNKS_ON_THE_WAY: usize = 256;
const CHUNK_BYTES: usize = 16 * 1024;

/// What a link does with what is sent over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Delivers it.
    Open,
    /// Delivers it so much later, both ways.
    Delayed(Duration),
    /// Holds it, both ways, until the link is something else. New connections are accepted, and
    /// held as well.
    Frozen,
    /// Delivers what clients ask, and holds what the server answers: the request is
    /// carried out, and the client gets no reply.
    Mute,
    /// Closes all connections, and each new one at once.
    Cut,
}

#[derive(Clone, Copy, Debug)]
struct State {
    link: Link,
    /// How often all connections were closed. A connection ends when this grows, however quickly
    /// the link is open again.
    cuts: u64,
}

/// A TCP proxy before a server. It lives on the runtime that made it, and ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    address: SocketAddr,
    state: watch::Sender<State>,
    acceptor: AbortHandle,
}

impl Proxy {
    /// One before the server that a URL names, of Redis or `PostgreSQL`; for Kafka there is
    /// [`Kafka::start_behind_proxy`](super::Kafka::start_behind_proxy).
    pub async fn before(url: &str) -> Self {
        let mut proxy = Self::to(url::address(url).to_owned()).await;
        proxy.url = url::with_address(url, &proxy.url);
        proxy
    }

    /// One before the server at an address.
    pub async fn to(server: String) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a loopback port is free");
        let address = listener.local_addr().expect("it is bound");
        let open = State {
            link: Link::Open,
            cuts: 0,
        };
        let (state, states) = watch::channel(open);
        let acceptor = tokio::spawn(accept(listener, server, states)).abort_handle();
        Self {
            url: address.to_string(),
            address,
            state,
            acceptor,
        }
    }

    /// The server's URL, with the proxy's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes the link so, for all connections.
    pub fn set(&self, link: Link) {
        self.state.send_modify(|state| {
            state.link = link;
            state.cuts += u64::from(link == Link::Cut);
        });
    }

    /// Closes all connections; new ones are welcome, if they are.
    pub fn reset_connections(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn accept(listener: TcpListener, server: String, states: watch::Receiver<State>) {
    // Its tasks end with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (server, states) = (server.clone(), states.clone());
        // An error ends the connection, and the client sees that.
        connections.spawn(async move { connect(client, &server, states).await.ok() });
    }
}

async fn connect(
    client: TcpStream,
    server: &str,
    mut states: watch::Receiver<State>,
) -> io::Result<()> {
    let State { link, cuts } = *states.borrow();
    if link == Link::Cut {
        return Ok(());
    }
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let questions = carry(from_client, to_server, states.clone(), |link| {
        link != Link::Frozen
    });
    let answers = carry(from_server, to_client, states.clone(), |link| {
        !matches!(link, Link::Frozen | Link::Mute)
    });
    tokio::select! {
        _ = states.wait_for(|state| state.cuts != cuts) => Ok(()),
        carried = async { tokio::try_join!(questions, answers) } => carried.map(drop),
    }
}

/// Carries all of one direction, while the link lets it pass.
async fn carry(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    states: watch::Receiver<State>,
    passes: impl Fn(Link) -> bool,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(CHUNKS_ON_THE_WAY);
    let take = take(from, sender, states.clone());
    tokio::try_join!(take, deliver(to, receiver, states, passes)).map(drop)
}

type Chunk = (Option<Instant>, Vec<u8>);

async fn take(
    mut from: OwnedReadHalf,
    way: mpsc::Sender<Chunk>,
    states: watch::Receiver<State>,
) -> io::Result<()> {
    loop {
        let mut bytes = Vec::with_capacity(CHUNK_BYTES);
        if from.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        let link = states.borrow().link;
        if way.send((due(link), bytes)).await.is_err() {
            return Ok(());
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a delay of a real link passes in real time"
)]
fn due(link: Link) -> Option<Instant> {
    match link {
        Link::Delayed(delay) => Some(Instant::now() + delay),
        _ => None,
    }
}

async fn deliver(
    mut to: OwnedWriteHalf,
    mut way: mpsc::Receiver<Chunk>,
    mut states: watch::Receiver<State>,
    passes: impl Fn(Link) -> bool,
) -> io::Result<()> {
    while let Some((due, bytes)) = way.recv().await {
        if let Some(due) = due {
            sleep_until(due).await;
        }
        let passes = states.wait_for(|state| passes(state.link)).await;
        passes.map_err(io::Error::other)?;
        to.write_all(&bytes).await?;
    }
    to.shutdown().await
}
