//! Where programs, ports and folders are.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
    },
};

use crate::Seed;

/// Below the ports that systems hand out to connections: a server that is restarted finds its port
/// free, and not used by an outgoing connection.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A loopback address where no process listens, and that this process gets once.
///
/// Another process may take it before it is used.
pub fn free_address() -> SocketAddr {
    // Each process begins somewhere, and each call goes on from there: no two calls get the same.
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
        let start = Seed::random().get() % u64::from(u16::MAX);
        AtomicU16::new(u16::try_from(start).expect("a remainder is smaller"))
    });
    (0..PORTS.len())
        .map(|_| PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % (PORTS.end - PORTS.start))
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("one of thousands of ports is free")
}

/// A new folder to throw away.
pub(super) fn fresh_folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("cast-{}-{}", name.to_lowercase(), random_name()));
    fs::create_dir(&folder).unwrap_or_else(|e| panic!("cannot make {}: {e}", folder.display()));
    folder
}

/// Where a program is, by the `PATH`.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Copies the files of a folder, which has no others in it, into a new one.
pub(super) fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// A unique name: for a prefix of keys, a topic, a group, a database.
///
/// Not from the test's seed: a run with the same seed may meet what the last one left behind.
pub fn random_name() -> String {
    format!("test_{:016x}", Seed::random().get())
}
