//! Bytes that no program generated from the schema writes: numbers that do not fit their type, and
//! fields of other wire types.

use cast_adapters::record;
use prost::{Message as _, encoding};

use crate::{a_record, schema};

fn number(tag: u32, value: u64) -> Vec<u8> {
    let mut field = Vec::new();
    encoding::uint64::encode(tag, &value, &mut field);
    field
}

fn message(tag: u32, bytes: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    encoding::bytes::encode(tag, &bytes.to_vec(), &mut field);
    field
}

/// A record with one ballot more, whose bytes end with `field`.
fn with_ballot(ballot: &schema::Ballot, field: &[u8]) -> Vec<u8> {
    let ballot = [&ballot.encode_to_vec(), field].concat();
    [a_record().encode_to_vec(), message(3, &ballot)].concat()
}

#[test]
fn a_number_that_does_not_fit_its_type_is_refused_and_not_truncated() {
    const TOO_LARGE: [u64; 3] = [1 << 32, (1 << 32) + 1, u64::MAX];
    // The last of several equal fields counts.
    let record = |field: Vec<u8>| [a_record().encode_to_vec(), field].concat();
    let ballot = &a_record().ballots[1];
    let id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    for value in TOO_LARGE {
        let votes = [message(1, b"alice"), number(2, value)].concat();
        for (bytes, expected) in [
            (
                record(number(1, value)),
                format!("the record has version {value}, and"),
            ),
            (
                record(number(2, value)),
                format!("the record says that the log has {value} partitions,"),
            ),
            (
                with_ballot(ballot, &number(2, value)),
                format!("ballot 3 ({id}): its ticket_key is {value},"),
            ),
            (
                with_ballot(ballot, &message(5, &votes)),
                format!(
                    "ballot 3 ({id}): its selection 1 has {value} \
                     votes, and the most is 4294967295"
                ),
            ),
        ] {
            let decoded = record::decode(&bytes);
            let reason = decoded.expect_err(&expected).reason;
            assert!(reason.starts_with(&expected), "{reason}: {expected}");
        }
    }
}

#[test]
fn a_trace_of_another_wire_type_is_ignored() {
    let ballot = &a_record().ballots[1];
    for trace in [
        &[0x30, 1][..],                  // a number
        &[0x31, 1, 2, 3, 4, 5, 6, 7, 8], // eight bytes
        &[0x35, 1, 2, 3, 4],             // four bytes
        &[0x33, 0x08, 1, 0x34],          // a group
    ] {
        let decoded = record::decode(&with_ballot(ballot, trace)).expect("it is readable");
        assert_eq!(decoded.ballots.len(), 4, "{trace:?}");
        assert_eq!(decoded.ballots[3], decoded.ballots[1], "{trace:?}");
        assert_eq!(decoded.ballots[3].trace, None, "{trace:?}");
    }
}

#[test]
fn another_broken_field_is_refused_with_and_without_a_broken_trace() {
    let ballot = &a_record().ballots[1];
    for (field, name) in [
        (&[0x08, 1][..], "id"),        // a number
        (&[0x12, 1, 2], "ticket_key"), // bytes
        (&[0x20, 1], "voter"),         // a number
        (&[0x28, 1], "selections"),    // a number
    ] {
        for trace in [&[][..], &[0x30, 1]] {
            let fields = [trace, field].concat();
            let reason = record::decode(&with_ballot(ballot, &fields))
                .expect_err(name)
                .reason;
            let expected = format!(
                "ballot 3 ({}): ",
                uuid::Uuid::from_slice(&ballot.id).expect("an id")
            );
            assert!(reason.starts_with(&expected), "{reason}: {expected}");
            assert!(
                reason.contains(&format!("Ballot.{name}: ")),
                "{reason}: {name}"
            );
        }
    }
    // A trace that is longer than its ballot.
    assert!(record::decode(&with_ballot(ballot, &[0x32, 200])).is_err());
}

#[test]
fn a_well_formed_unknown_group_is_skipped_and_another_is_refused() {
    let ballot = &a_record().ballots[1];
    // Field 15, with another group in it.
    let group = [0x7B, 0x0B, 0x10, 1, 0x0C, 0x7C];
    let decoded = record::decode(&with_ballot(ballot, &group)).expect("it is readable");
    assert_eq!(decoded.ballots[3], decoded.ballots[1]);
    assert!(record::decode(&with_ballot(ballot, &group[..5])).is_err());
}
