//! A record is read back as it was written; what is not as it was written is refused, or is another
//! record, and never something between.

use std::{fs, path::Path};

use cast_adapters::record::{self, Decoded};
use cast_core::domain::{Partition, Partitions, Record};
use cast_testkit::properties;
use proptest::{collection::vec, prelude::*, sample::Index};

fn partitions() -> impl Strategy<Value = Partitions> {
    (1..=u32::MAX).prop_map(|count| Partitions::new(count).expect("not zero"))
}

fn encode(record: &Record, partitions: Partitions) -> Vec<u8> {
    record::encode(record, partitions).expect("far below the limit")
}

/// That bytes are no record, or one that is valid: written and read again, it is the same.
fn is_a_record_or_none(bytes: &[u8]) -> Result<(), TestCaseError> {
    match record::decode(bytes) {
        Err(unreadable) => {
            prop_assert_eq!(&*unreadable.bytes, bytes);
            prop_assert!(!unreadable.reason.is_empty());
        }
        Ok(decoded) => {
            let again = Record::new(Partition::new(0), decoded.ballots.clone());
            let written = encode(&again, decoded.partitions.unwrap_or(Partitions::ONE));
            prop_assert_eq!(
                record::decode(&written).map(|again| again.ballots),
                Ok(decoded.ballots)
            );
        }
    }
    Ok(())
}

/// A field that no version knows: a number, 8 bytes, 4 bytes, or any bytes.
fn unknown_field() -> impl Strategy<Value = Vec<u8>> {
    // Numbers up to 31 take two bytes as a key, of which the lower three bits are the type.
    let key = (16..32_u32).prop_map(|number| number << 3);
    (key, 0..4_u8, vec(any::<u8>(), 8)).prop_map(|(key, form, bytes)| {
        let (wire, value): (u32, Vec<u8>) = match form {
            0 => (0, vec![bytes[0] | 0x80, bytes[1] & 0x7F]),
            1 => (1, bytes),
            2 => (5, bytes[..4].to_vec()),
            _ => (2, [&[8], &bytes[..]].concat()),
        };
        let key = key | wire;
        let low = u8::try_from(key & 0x7F).expect("seven bits") | 0x80;
        let high = u8::try_from(key >> 7).expect("a small number");
        [&[low, high][..], &value].concat()
    })
}

proptest! {
    #![proptest_config(properties::config(96))]

    #[test]
    fn a_record_is_read_back(record in properties::record(), partitions in partitions()) {
        let decoded = record::decode(&encode(&record, partitions));
        // They make no ballot another one.
        let read: Vec<_> = decoded.iter().flat_map(|it| it.ballots.iter().map(|b| b.trace)).collect();
        let written: Vec<_> = record.ballots().iter().map(|ballot| ballot.trace).collect();
        prop_assert_eq!(read, written);
        let expected = Decoded { ballots: record.ballots().clone(), partitions: Some(partitions) };
        prop_assert_eq!(decoded, Ok(expected));
    }

    #[test]
    fn a_record_that_is_cut_off_is_refused_or_ends_with_a_whole_ballot(
        record in properties::record(), partitions in partitions(), at: Index
    ) {
        let bytes = encode(&record, partitions);
        let cut = &bytes[..at.index(bytes.len())];
        is_a_record_or_none(cut)?;
        if let Ok(decoded) = record::decode(cut) {
            prop_assert!(decoded.ballots.len() < record.ballots().len());
            prop_assert!(record.ballots().starts_with(&decoded.ballots));
        }
    }

    #[test]
    fn a_record_with_any_bits_changed_is_a_record_or_none(
        record in properties::record(), partitions in partitions(),
        changes in vec((any::<Index>(), 1..=u8::MAX), 1..6)
    ) {
        let mut bytes = encode(&record, partitions);
        for (at, change) in changes {
            let at = at.index(bytes.len());
            bytes[at] ^= change;
        }
        is_a_record_or_none(&bytes)?;
    }

    #[test]
    fn any_bytes_are_a_record_or_none(bytes in vec(any::<u8>(), 0..200)) {
        is_a_record_or_none(&bytes)?;
    }

    #[test]
    fn fields_of_later_versions_are_skipped(
        record in properties::record(), partitions in partitions(),
        front in unknown_field(), back in unknown_field()
    ) {
        let bytes = encode(&record, partitions);
        let decoded = record::decode(&[front, bytes.clone(), back].concat());
        prop_assert_eq!(decoded, record::decode(&bytes));
    }

    #[test]
    fn golden_files_with_any_bits_changed_are_records_or_none(
        which in 0..4_usize, changes in vec((any::<Index>(), any::<u8>()), 0..4)
    ) {
        let golden =
            ["v1_one_ballot", "v1_several_ballots", "v1_largest_ballot", "v1_traced_ballot"];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/record");
        let mut bytes = fs::read(folder.join(golden[which]).with_extension("bin"))?;
        for (at, change) in &changes {
            let at = at.index(bytes.len());
            bytes[at] ^= change;
        }
        is_a_record_or_none(&bytes)?;
        let is_unchanged = changes.iter().all(|(_, change)| *change == 0);
        prop_assert!(record::decode(&bytes).is_ok() || !is_unchanged);
    }
}
