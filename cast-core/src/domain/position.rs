//! Where in the log something is.

use std::{fmt, num::NonZeroU32};

use super::ballot_id::BallotId;

/// One of the log's partitions: within it the order of records is the order of truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u32);

impl Partition {
    /// The partition with this number, counted from 0.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A place between two records of a partition: the number of the record that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(u64);

impl Offset {
    /// Where every partition begins.
    pub const START: Self = Self(0);

    /// The offset with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The offset behind the record at this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Where a ballot's record is in the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// The partition.
    pub partition: Partition,
    /// The record's offset in it.
    pub offset: Offset,
}

impl fmt::Debug for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.partition.get(), self.offset.get())
    }
}

/// How far a partition was folded, and by what its log is known again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The first record that was not applied.
    pub next: Offset,
    /// The last ballot before it, if there was any.
    pub last: Option<LogFingerprint>,
}

impl Progress {
    /// Progress up to there, with nothing to know the log by.
    pub const fn at(next: Offset) -> Self {
        Self { next, last: None }
    }
}

/// A ballot and where the log has it: a log that has another record there is another log.
///
/// Offsets alone do not tell: a log that lost its end, or was made anew, grows past any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFingerprint {
    /// The offset of its record.
    pub offset: Offset,
    /// The ballot, one of that record's.
    pub ballot: BallotId,
}

/// How many partitions the log has.
///
/// It decides where a ballot id belongs, so it must not change under ballots that may be sent
/// again.
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

    /// How many.
    pub const fn count(self) -> u32 {
        self.0.get()
    }

    /// Each of them.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Partition> + Clone {
        (0..self.count()).map(Partition)
    }

    /// The partition that this ballot id belongs to, so that duplicates of a ballot meet.
    ///
    /// With the id read as two big-endian 64-bit halves, it is
    /// `(splitmix64(high) + low) mod 2^64 mod partitions`: spread for every version of UUID, and
    /// simple to steer when an id is minted (see [`BallotId::mint`]).
    pub fn partition_of(self, id: BallotId) -> Partition {
        let (high, low) = id.halves();
        let spread = splitmix64(high).wrapping_add(low);
        let number = spread % u64::from(self.count());
        Partition(u32::try_from(number).expect("a remainder of a u32 is a u32"))
    }
}

/// The finaliser of Steele, Lea and Flood's `SplittableRandom` (2014).
fn splitmix64(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn splitmix64_gives_the_published_first_value_for_seed_zero() {
        assert_eq!(splitmix64(0), 0xE220_A839_7B1D_CDAF);
    }

    #[test]
    fn ids_of_every_version_spread_over_the_partitions() {
        let partitions = Partitions::new(8).expect("eight");
        // Version 1 as one machine makes them: only the time in the high half changes.
        let of_one_machine = (0..8_000_u128)
            .map(|tick| Uuid::from_u128((0x1000 << 64) | (tick << 96) | 0x8000_1234_5678_9ABC));
        let mut counts = [0; 8];
        for id in of_one_machine {
            let id = BallotId::new(id).expect("an id");
            counts[partitions.partition_of(id).get() as usize] += 1;
        }
        assert!(
            counts.iter().all(|n| (800..1_200).contains(n)),
            "{counts:?}"
        );
    }

    #[test]
    fn a_position_is_shown_as_partition_at_offset() {
        let position = LogPosition {
            partition: Partition::new(3),
            offset: Offset::new(41).next(),
        };
        assert_eq!(format!("{position:?}"), "3@42");
    }
}
