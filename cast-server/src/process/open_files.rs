//! The limit of open files: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process needs besides its connections: the log, libraries, connections to other servers.
const OTHERS: u64 = 256;

/// Raises the limit for so many connections, as far as the system permits; warns if that is not
/// enough. The usual limit of 1,024 would let one client with many connections exclude all others.
pub(crate) fn allow(max_connections: usize) {
    let needed = u64::try_from(max_connections).map_or(u64::MAX, |n| n.saturating_add(OTHERS));
    let limit = getrlimit(Resource::Nofile);
    // No limit at all is `None`.
    let Some(current) = limit.current.filter(|current| *current < needed) else {
        return;
    };
    let reachable = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = Rlimit {
        current: Some(reachable),
        ..limit
    };
    let reached = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => reachable,
        Err(_) => current,
    };
    if reached < needed {
        tracing::warn!(
            max_connections,
            open_files = reached,
            "the limit of open files (ulimit -n) is lower than --max-connections"
        );
    }
}
