//! What was done to the servers.

use std::collections::BTreeMap;

/// What was done to the servers, as far as the verdict depends on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// How often Redis lost something.
    pub(crate) redis_losses: usize,
    pub(crate) restores: Vec<Restore>,
}

/// The store was restored from a backup: its progress by partition, before and after.
#[derive(Clone, Debug)]
pub(crate) struct Restore {
    pub(crate) from: BTreeMap<u32, u64>,
    pub(crate) to: BTreeMap<u32, u64>,
}

impl Restore {
    /// Whether this undid the fold of the record there.
    pub(crate) fn undid(&self, partition: u32, offset: u64) -> bool {
        let progress = |of: &BTreeMap<u32, u64>| of.get(&partition).copied().unwrap_or(0);
        (progress(&self.to)..progress(&self.from)).contains(&offset)
    }
}
