//! An id that is minted for a partition belongs there, whatever randomness it is made of.

use std::sync::Mutex;

use cast_core::domain::{BallotId, Entropy, Partition, Partitions};
use cast_testkit::{Seed, SeededEntropy, properties};
use proptest::{prelude::*, sample::Index};

/// Gives these bytes first.
struct First {
    bytes: Mutex<Vec<u8>>,
    then: SeededEntropy,
}

impl Entropy for First {
    fn fill(&self, bytes: &mut [u8]) {
        let mut first = self.bytes.lock().expect("nothing panics here");
        if first.is_empty() {
            return self.then.fill(bytes);
        }
        let len = first.len().min(bytes.len());
        bytes[..len].copy_from_slice(&first[..len]);
        first.drain(..len);
    }
}

/// Any number of partitions, and one of them.
fn partition() -> impl Strategy<Value = (Partition, Partitions)> {
    let count = prop_oneof![4 => 1..65_u32, 2 => 1..=u32::MAX, 1 => Just(u32::MAX)];
    (count, any::<Index>(), 0..3_u32).prop_map(|(count, at, place)| {
        let number = match place {
            0 => count - 1,
            _ => u32::try_from(at.index(count as usize)).expect("below a u32"),
        };
        let partitions = Partitions::new(count).expect("not zero");
        (Partition::new(number), partitions)
    })
}

proptest! {
    #![proptest_config(properties::config(2_000))]

    #[test]
    fn a_minted_id_belongs_to_its_partition(
        (partition, partitions) in partition(), now in properties::timestamp(), seed: u64
    ) {
        let id = BallotId::mint(partition, partitions, now, &Seed::new(seed).entropy());
        prop_assert_eq!(partitions.partition_of(id), partition);
        let uuid = id.as_uuid();
        prop_assert_eq!(uuid.get_version_num(), 7);
        prop_assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        prop_assert_eq!(uuid.as_u64_pair().0 >> 16, now.as_unix_ms());
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn it_does_where_its_bits_are_all_taken(
        (partition, partitions) in partition(), now in properties::timestamp(),
        bytes in prop_oneof![Just([0xFF; 10]), Just([0; 10]), any::<[u8; 10]>()], seed: u64
    ) {
        let entropy = First { bytes: Mutex::new(bytes.into()), then: Seed::new(seed).entropy() };
        let id = BallotId::mint(partition, partitions, now, &entropy);
        prop_assert_eq!(partitions.partition_of(id), partition);
    }

    #[test]
    fn an_id_has_one_partition(id in properties::ballot_id(), (_, partitions) in partition()) {
        prop_assert!(partitions.partition_of(id).get() < partitions.count());
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }
}
