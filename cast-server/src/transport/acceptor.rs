//! Takes connections in, as many as there is room for.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

#[cfg(target_os = "linux")]
use socket2::{SockFilter, SockRef};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::{
    canned,
    connection::{Connection, Shared},
};

/// The first pause after the system refused a connection; it doubles with each refusal in a row.
const MIN_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// A TCP acceptor with a cap on connections, and a deadline on all that each of them does.
///
/// It never fails: what the system refuses is logged, and tried again after a pause.
pub(crate) struct CappedAcceptor {
    listener: TcpListener,
    local: SocketAddr,
    door: ConnectionLimiter,
    pause: Duration,
}

/// Who is let in.
struct ConnectionLimiter {
    places: Arc<Semaphore>,
    shared: Arc<Shared>,
}

impl CappedAcceptor {
    pub(crate) fn new(
        listener: TcpListener,
        shared: Arc<Shared>,
        max_connections: usize,
    ) -> io::Result<Self> {
        let places = max_connections.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            local: listener.local_addr()?,
            listener,
            door: ConnectionLimiter {
                places: Arc::new(Semaphore::new(places)),
                shared,
            },
            pause: MIN_PAUSE,
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.local
    }

    /// The next connection that there is a place for, and its other end.
    pub(crate) async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.pause = MIN_PAUSE;
                    if let Some(connection) = self.door.admit(stream) {
                        return (connection, peer);
                    }
                }
                Err(error) => self.back_off(error).await,
            }
        }
    }

    /// Ends accepting: the connections that the system has taken in by now, and that there is a place
    /// for, at most `most` of them. No other comes after.
    ///
    /// First, no other connection may begin: one that did between the last look and the end would be
    /// reset, and its client would not know whether its request was carried out.
    ///
    /// The plain socket is asked. Tokio's knows of a connection only when its driver was told of it,
    /// and one that it does not know of yet would be closed unseen.
    pub(crate) fn waiting(self, most: usize) -> Vec<(Connection, SocketAddr)> {
        let Self { listener, door, .. } = self;
        let Ok(listener) = listener.into_std() else {
            return Vec::new();
        };
        if let Err(error) = let_none_begin(&listener) {
            tracing::debug!(%error, "connections may begin while the socket closes, and are reset");
        }
        let mut waiting = Vec::new();
        for _ in 0..most {
            match listener.accept() {
                Ok((stream, peer)) => {
                    let stream = stream.set_nonblocking(true).map(|()| stream);
                    let stream = stream.and_then(TcpStream::from_std);
                    let connection = stream.ok().and_then(|stream| door.admit(stream));
                    waiting.extend(connection.map(|connection| (connection, peer)));
                }
                Err(error) if is_about_one_connection(&error) => {}
                // There is none, or the system gives no more.
                Err(_) => break,
            }
        }
        waiting
    }

    /// Waits until accepting may work again.
    async fn back_off(&mut self, error: io::Error) {
        if is_about_one_connection(&error) {
            return;
        }
        // Mostly the limit of open files: there is no other way than to wait for one to close.
        tracing::warn!(%error, pause = ?self.pause, "cannot accept connections");
        self.door.shared.clock.sleep(self.pause).await;
        self.pause = (self.pause * 2).min(MAX_PAUSE);
    }
}

impl ConnectionLimiter {
    /// A place for the connection, or the end of it.
    fn admit(&self, stream: TcpStream) -> Option<Connection> {
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            self.turn_away(stream);
            return None;
        };
        // Answers are small and written at once: nothing is gained by waiting for more of them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it began");
            return None;
        }
        Some(Connection::new(stream, Arc::clone(&self.shared), permit))
    }

    /// Says that there is no place, as far as that works without waiting.
    fn turn_away(&self, stream: TcpStream) {
        self.shared.metrics.http.turned_away();
        // The plain socket: tokio's would wait until it is told that it can be written to.
        if let Ok(mut stream) = stream.into_std() {
            let answer = canned::TOO_MANY_CONNECTIONS.write(&*self.shared.entropy);
            let _ = stream.write(&answer);
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }
}

/// Makes the system drop what would begin a connection, as if it had been lost on its way. Its client tries
/// again a second later, and is refused by then, or let in by whoever came after us: nothing was sent.
#[cfg(target_os = "linux")]
fn let_none_begin(listener: &std::net::TcpListener) -> io::Result<()> {
    // A classic packet filter, over the header of TCP: whether the bit SYN is set in its 14th byte.
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    let filter = [
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    SockRef::from(listener).attach_filter(&filter)
}

#[cfg(not(target_os = "linux"))]
fn let_none_begin(_: &std::net::TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the next connection may do better at once.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        io::Read as _,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn who_is_connected_is_taken_in_and_nobody_else_begins() {
        const AT_ONCE: Duration = Duration::from_millis(200);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut before = TcpStream::connect(address).unwrap();
        let_none_begin(&listener).unwrap();
        let after = TcpStream::connect_timeout(&address, AT_ONCE);
        assert_eq!(after.unwrap_err().kind(), io::ErrorKind::TimedOut);

        before.write_all(b"sent").unwrap();
        let (mut taken_in, _) = listener.accept().unwrap();
        drop(listener);
        let mut heard = [0; 4];
        taken_in.read_exact(&mut heard).unwrap();
        taken_in.write_all(&heard).unwrap();
        before.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"sent");
        let after = TcpStream::connect_timeout(&address, AT_ONCE);
        assert_eq!(after.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
