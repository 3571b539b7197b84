//! The bounds of the store.

/// The bounds of [`MemoryStore`](super::MemoryStore).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// The most counted ballots, and the most ids of rejected ones; a ballot takes about 300 bytes. Beyond
    /// it the oldest are forgotten: their votes stay in the totals and in the recount, but their fate is
    /// unknown, and their ids would count again. So it must be more than the log retains.
    pub max_ballots: usize,
    /// The most rejections for [`MemoryStore::rejections`](super::MemoryStore::rejections); the oldest are dropped first. The fate of
    /// their ballots is still known.
    pub max_rejections: usize,
    /// The largest total of a candidate in a partition. A step that would exceed it is corrupt.
    pub largest_total: u64,
}

impl Default for StoreOptions {
    /// 4,000,000 ballots, 10,000 rejections, and the numbers of a database's `bigint`.
    fn default() -> Self {
        Self {
            max_ballots: 4_000_000,
            max_rejections: 10_000,
            largest_total: i64::MAX.unsigned_abs(),
        }
    }
}
