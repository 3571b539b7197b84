//! Which partition a ballot id belongs to, and ids made for a given partition.

use super::{
    ballot_id::BallotId,
    entropy::Entropy,
    partition::{Partition, Partitions},
    time::Timestamp,
};

impl Partitions {
    /// The partition that a ballot id belongs to. It depends on the id alone, so all copies of a ballot
    /// are in one partition.
    ///
    /// With the id read as two big-endian 64-bit halves, it is
    /// `(splitmix64(high) + low) mod 2^64 mod partitions`: even over the partitions for every version
    /// of UUID, and simple to choose when an id is minted (see [`BallotId::mint`]).
    pub fn partition_of(self, id: BallotId) -> Partition {
        let (high, low) = id.halves();
        let spread = splitmix64(high).wrapping_add(low);
        let number = spread % u64::from(self.count());
        Partition::new(u32::try_from(number).expect("a remainder of a u32 is a u32"))
    }
}

/// The finaliser of Steele, Lea and Flood's `SplittableRandom` (2014).
const fn splitmix64(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The bits of a UUID's low half that are not its variant.
const FREE_BITS: u64 = (1 << 62) - 1;

impl BallotId {
    /// Makes a fresh id (UUID version 7) that belongs to `partition`: the minted ids of a flush share
    /// one partition, so the flush is one record.
    pub fn mint(
        partition: Partition,
        partitions: Partitions,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        assert!(
            partition.get() < partitions.count(),
            "an id is minted for one of the log's partitions"
        );
        loop {
            let mut random = [0; 10];
            entropy.fill(&mut random);
            let id = Self::moved_to(partition, partitions, now, random);
            // The sum that decides the partition wraps around at 2^64, and a step over that edge moves
            // the partition by another number than one. It concerns next to no ids.
            if partitions.partition_of(id) == partition {
                return id;
            }
        }
    }

    /// The id of these random bytes, moved to the next id that belongs to `partition`.
    fn moved_to(
        partition: Partition,
        partitions: Partitions,
        now: Timestamp,
        random: [u8; 10],
    ) -> Self {
        let drawn =
            uuid::Builder::from_unix_timestamp_millis(now.as_unix_ms(), &random).into_uuid();
        let (high, low) = drawn.as_u64_pair();
        let count = u64::from(partitions.count());
        let here = splitmix64(high).wrapping_add(low) % count;
        let step = (u64::from(partition.get()) + count - here) % count;
        // The partition moves by one with each step of the low half. Its 62 random bits are changed, the
        // two bits of the variant stay.
        let (variant, free) = (low & !FREE_BITS, low & FREE_BITS);
        let moved = free + step;
        let moved = if moved > FREE_BITS {
            moved - count
        } else {
            moved
        };
        Self::of_halves(high, variant | moved)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use uuid::Uuid;

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
    fn a_minted_id_is_a_version_7_uuid_of_its_partition() {
        let entropy = Stepping(AtomicU64::new(1));
        let now = Timestamp::from_unix_ms(1_763_826_000_000);
        for count in [1, 2, 3, 7, 64, 1_000] {
            let partitions = Partitions::new(count).expect("not zero");
            for partition in partitions.iter() {
                let id = BallotId::mint(partition, partitions, now, &entropy);
                assert_eq!(partitions.partition_of(id), partition);
                assert_eq!(id.as_uuid().get_version_num(), 7);
                assert_eq!(id.as_uuid().get_variant(), uuid::Variant::RFC4122);
            }
        }
    }

    /// Gives the same byte each time.
    struct Same(u8);

    impl Entropy for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    const ALL_ONES: Same = Same(0xFF);

    #[test]
    fn an_id_is_moved_no_further_than_to_the_next_id_of_the_partition() {
        let now = Timestamp::from_unix_ms(1_763_826_000_000);
        let partitions = Partitions::new(12).expect("twelve");
        let drawn = |entropy: &dyn Entropy| {
            let id = BallotId::mint(Partition::new(0), Partitions::ONE, now, entropy);
            (id, partitions.partition_of(id).get())
        };
        let moved_by = |number, entropy: &dyn Entropy| {
            let low = |id: BallotId| id.halves().1;
            let id = BallotId::mint(Partition::new(number), partitions, now, entropy);
            i128::from(low(id)) - i128::from(low(drawn(entropy).0))
        };
        let (_, here) = drawn(&Same(0x5A));
        for ahead in 0..12 {
            let number = (here + ahead) % 12;
            assert_eq!(moved_by(number, &Same(0x5A)), i128::from(ahead));
        }
        let (last, here) = drawn(&ALL_ONES);
        assert_eq!(
            last.halves().1,
            0xBFFF_FFFF_FFFF_FFFF,
            "the largest low half"
        );
        assert_eq!(
            moved_by(here, &ALL_ONES),
            0,
            "the last id can be minted, too"
        );
    }

    #[test]
    fn minting_never_changes_the_bits_of_the_variant() {
        let partitions = Partitions::new(12).expect("twelve");
        for partition in partitions.iter() {
            let id = BallotId::mint(partition, partitions, Timestamp::from_unix_ms(9), &ALL_ONES);
            assert_eq!(partitions.partition_of(id), partition);
            assert_eq!(id.as_uuid().get_variant(), uuid::Variant::RFC4122);
        }
    }

    /// The sum that decides the partition wraps around at 2^64, and a step over that edge moves the
    /// partition by another number than one.
    #[test]
    fn a_minted_id_belongs_to_its_partition_where_the_sum_wraps_around() {
        /// Gives bytes whose sum is 2^64 - 1, and others when asked again.
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
            for partition in partitions.iter() {
                let entropy = AtTheEdge(Stepping(AtomicU64::new(1)), AtomicU64::new(0));
                let id = BallotId::mint(partition, partitions, now, &entropy);
                assert_eq!(partitions.partition_of(id), partition, "{id}");
            }
        }
    }

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
}
