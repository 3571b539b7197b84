//! How often a server carried out commands.

use crate::redis::Namespace;

/// The calls of the commands whose line in `INFO commandstats` begins so.
pub(crate) async fn calls_of(namespace: &Namespace, line: &str) -> u64 {
    let stats: String = namespace.ask(&["INFO", "commandstats"]).await;
    let calls = |line: &str| {
        let (_, rest) = line.split_once(":calls=")?;
        rest.split(',').next()?.parse::<u64>().ok()
    };
    let lines = stats.lines().filter(|it| it.starts_with(line));
    lines.filter_map(calls).sum()
}
