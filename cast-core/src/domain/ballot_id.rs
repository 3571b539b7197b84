//! What tells one ballot from another.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use super::{
    position::{Partition, Partitions},
    time::Timestamp,
};
use crate::ports::Entropy;

/// Names a ballot for good: what carries the same id is the same ballot, and counts once.
///
/// The client gives it to make a retry safe; otherwise it is minted at the door. Any UUID but the
/// two that stand for "none" (nil and max).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BallotId(Uuid);

impl BallotId {
    /// The ballot id `id`.
    pub fn new(id: Uuid) -> Result<Self, MalformedBallotId> {
        if id.is_nil() || id.is_max() {
            Err(MalformedBallotId)
        } else {
            Ok(Self(id))
        }
    }

    /// The UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// Makes a fresh id (UUID version 7) that belongs to `home`, so that a flush is one record.
    pub fn mint(
        home: Partition,
        partitions: Partitions,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        assert!(
            home.get() < partitions.count(),
            "a home is one of the partitions"
        );
        loop {
            let mut random = [0; 10];
            entropy.fill(&mut random);
            let id = Self::steered(home, partitions, now, random);
            // The sum that decides the home begins again behind its last number, and a step over
            // that edge moves the home by another number than one. Hardly any id is near it.
            if partitions.partition_of(id) == home {
                return id;
            }
        }
    }

    /// The id of these bytes, moved to `home`.
    fn steered(home: Partition, partitions: Partitions, now: Timestamp, random: [u8; 10]) -> Self {
        let any = uuid::Builder::from_unix_timestamp_millis(now.as_unix_ms(), &random).into_uuid();
        let count = u64::from(partitions.count());
        let there = u64::from(partitions.partition_of(Self(any)).get());
        let step = (u64::from(home.get()) + count - there) % count;
        // The home moves by one with each step of the low half; its 62 random bits give way, and
        // the two bits of the variant stay.
        let (high, low) = any.as_u64_pair();
        let (variant, free) = (low & !FREE_BITS, low & FREE_BITS);
        let steered = free + step;
        let steered = if steered > FREE_BITS {
            steered - count
        } else {
            steered
        };
        Self(Uuid::from_u64_pair(high, variant | steered))
    }

    pub(super) fn halves(self) -> (u64, u64) {
        self.0.as_u64_pair()
    }
}

/// The bits of a UUID's low half that are not its variant.
const FREE_BITS: u64 = (1 << 62) - 1;

impl FromStr for BallotId {
    type Err = MalformedBallotId;

    fn from_str(text: &str) -> Result<Self, MalformedBallotId> {
        Uuid::try_parse(text)
            .map_err(|_| MalformedBallotId)
            .and_then(Self::new)
    }
}

impl fmt::Debug for BallotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for BallotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The text is no UUID, or one that stands for "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ballot id is a UUID, and neither the nil nor the max one")]
pub struct MalformedBallotId;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    struct Stepping(AtomicU64);

    impl Entropy for Stepping {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                let step = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
                *byte = (step >> 56) as u8;
            }
        }
    }

    #[test]
    fn a_minted_id_is_a_version_7_uuid_that_belongs_to_its_home() {
        let entropy = Stepping(AtomicU64::new(1));
        let now = Timestamp::from_unix_ms(1_763_826_000_000);
        for count in [1, 2, 3, 7, 64, 1_000] {
            let partitions = Partitions::new(count).expect("not zero");
            for home in partitions.iter() {
                let id = BallotId::mint(home, partitions, now, &entropy);
                assert_eq!(partitions.partition_of(id), home);
                assert_eq!(id.as_uuid().get_version_num(), 7);
                assert_eq!(id.as_uuid().get_variant(), uuid::Variant::RFC4122);
            }
        }
    }

    /// The same byte, over and over.
    struct Same(u8);

    impl Entropy for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    const ALL_ONES: Same = Same(0xFF);

    #[test]
    fn randomness_gives_way_no_further_than_to_the_next_id_of_the_home() {
        let now = Timestamp::from_unix_ms(1_763_826_000_000);
        let partitions = Partitions::new(12).expect("twelve");
        let drawn = |entropy: &dyn Entropy| {
            let id = BallotId::mint(Partition::new(0), Partitions::ONE, now, entropy);
            (id, partitions.partition_of(id).get())
        };
        let minted = |home, entropy: &dyn Entropy| {
            let low = |id: BallotId| id.halves().1;
            let id = BallotId::mint(Partition::new(home), partitions, now, entropy);
            i128::from(low(id)) - i128::from(low(drawn(entropy).0))
        };
        let (_, home) = drawn(&Same(0x5A));
        for ahead in 0..12 {
            let home = (home + ahead) % 12;
            assert_eq!(minted(home, &Same(0x5A)), i128::from(ahead));
        }
        let (last, home) = drawn(&ALL_ONES);
        assert_eq!(last.halves().1, 0xBFFF_FFFF_FFFF_FFFF, "as it was drawn");
        assert_eq!(minted(home, &ALL_ONES), 0, "the last id is one, too");
    }

    #[test]
    fn minting_stays_inside_the_free_bits_at_their_end() {
        let partitions = Partitions::new(12).expect("twelve");
        for home in partitions.iter() {
            let id = BallotId::mint(home, partitions, Timestamp::from_unix_ms(9), &ALL_ONES);
            assert_eq!(partitions.partition_of(id), home);
            assert_eq!(id.as_uuid().get_variant(), uuid::Variant::RFC4122);
        }
    }

    /// Behind the last 64-bit number the sum that decides the home begins again, and a step over
    /// that edge moves the home by another number than one.
    #[test]
    fn a_minted_id_belongs_to_its_home_where_its_sum_begins_again() {
        /// Gives bytes whose sum is the largest there is, and others when asked again.
        struct AtTheEdge(Stepping, AtomicU64);
        impl Entropy for AtTheEdge {
            fn fill(&self, bytes: &mut [u8]) {
                match self.1.fetch_add(1, Ordering::Relaxed) {
                    0 => bytes
                        .copy_from_slice(&[0, 2, 0xB4, 0x0B, 0xF7, 0x3A, 0x71, 0x16, 0x44, 0x89]),
                    _ => self.0.fill(bytes),
                }
            }
        }
        let now = Timestamp::from_unix_ms(1_763_826_000_000);
        for count in [1, 2, 12, 1_000] {
            let partitions = Partitions::new(count).expect("not zero");
            for home in partitions.iter() {
                let entropy = AtTheEdge(Stepping(AtomicU64::new(1)), AtomicU64::new(0));
                let id = BallotId::mint(home, partitions, now, &entropy);
                assert_eq!(partitions.partition_of(id), home, "{id}");
            }
        }
    }

    #[test]
    fn the_uuids_that_mean_none_are_no_ballot_ids() {
        for text in [
            "",
            "x",
            "00000000-0000-0000-0000-000000000000",
            &"f".repeat(32),
        ] {
            assert_eq!(text.parse::<BallotId>(), Err(MalformedBallotId), "{text:?}");
        }
    }

    #[test]
    fn it_is_read_and_shown_as_a_uuid() {
        let text = "0193b3a0-0000-7000-8000-000000000001";
        let id: BallotId = text.parse().expect("an id");
        assert_eq!(id.to_string(), text);
        assert_eq!(format!("{id:?}"), text);
        assert_eq!(id.as_uuid().to_string(), text);
    }
}
