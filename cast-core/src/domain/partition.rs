//! The partitions of the log.

use std::num::NonZeroU32;

/// One of the log's partitions. Within it, records have a fixed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u32);

impl Partition {
    /// The partition with this number, counted from 0.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number, counted from 0.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// How many partitions the log has: at least one.
///
/// The number decides [which partition a ballot id belongs to](Self::partition_of). It must not change
/// while ballots may still be sent again: a retry would go to another partition than the first copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions(NonZeroU32);

impl Partitions {
    /// A log of one partition.
    pub const ONE: Self = Self(NonZeroU32::MIN);

    /// A log of `count` partitions; `None` for zero.
    pub const fn new(count: u32) -> Option<Self> {
        match NonZeroU32::new(count) {
            Some(count) => Some(Self(count)),
            None => None,
        }
    }

    /// The number of partitions.
    pub const fn count(self) -> u32 {
        self.0.get()
    }

    /// Each partition, in the order of their numbers.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Partition> + Clone {
        (0..self.count()).map(Partition)
    }
}
