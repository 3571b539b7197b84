//! The encoding of a record stays what docs/record.proto says, and version 1 stays readable.

mod bytes;
mod schema;

use std::{fs, path::PathBuf};

use cast_adapters::record::{self, EncodeError, MAX_BYTES};
use cast_core::domain::{
    Candidate, KeyId, LoggedBallot, MAX_NAME_BYTES, MAX_SELECTIONS, Partition, Partitions, Record,
    Selection, Selections, TicketStamp, Timestamp, TraceContext, Voter, Votes,
};
use prost::Message;

const PARTITIONS: Partitions = Partitions::new(12).expect("twelve");

/// Trace 4bf9…, span 00f0…, sampled.
const TRACE: [u8; TraceContext::LEN] = [
    0x4B, 0xF9, 0x2F, 0x35, 0x77, 0xB3, 0x4D, 0xA6, 0xA3, 0xCE, 0x92, 0x9D, 0x0E, 0x0E, 0x47, 0x36,
    0x00, 0xF0, 0x67, 0xAA, 0x0B, 0xA9, 0x02, 0xB7, 0x01,
];

fn ballot(id: &str, key: u8, voter: Option<&str>, votes: &[(&str, u32)]) -> LoggedBallot {
    let selections: Vec<_> = votes
        .iter()
        .map(|(candidate, votes)| Selection {
            candidate: Candidate::new(candidate).expect("a name"),
            votes: Votes::new(*votes).expect("at least one"),
        })
        .collect();
    LoggedBallot {
        id: id.parse().expect("an id"),
        ticket: TicketStamp {
            key_id: KeyId::new(key),
            issued_at: Timestamp::from_unix_ms(1_763_826_000_000),
        },
        voter: voter.map(|voter| Voter::new(voter).expect("a name")),
        selections: Selections::new(selections).expect("1 to 16"),
        trace: None,
    }
}

/// The records whose bytes are kept, by the names of their files.
fn golden_records() -> Vec<(&'static str, Record)> {
    let one = ballot(
        "019a3c5e-4d10-7a31-9f00-0123456789ab",
        2,
        None,
        &[("alice", 1)],
    );
    let several = [
        ballot(
            "019a3c5e-4d10-7a31-9f00-0123456789ac",
            0,
            Some("Zoë"),
            &[("alice", 1), ("神田", 4_294_967_295), ("alice", 128)],
        ),
        ballot(
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            255,
            Some("carol"),
            &[("O'Neil", 300)],
        ),
        one.clone(),
    ];
    let traced = LoggedBallot {
        trace: TraceContext::from_bytes(TRACE),
        ..one.clone()
    };
    vec![
        (
            "v1_one_ballot.bin",
            Record::new(Partition::new(0), [one.clone()]),
        ),
        (
            "v1_several_ballots.bin",
            Record::new(Partition::new(3), several),
        ),
        (
            "v1_largest_ballot.bin",
            Record::new(Partition::new(11), [largest_ballot()]),
        ),
        (
            "v1_traced_ballot.bin",
            Record::new(Partition::new(2), [one.clone(), traced]),
        ),
    ]
}

/// The ballot that takes the most bytes.
fn largest_ballot() -> LoggedBallot {
    let names: Vec<_> = (0..MAX_SELECTIONS)
        .map(|at| format!("{at:0>MAX_NAME_BYTES$}"))
        .collect();
    let votes: Vec<_> = names.iter().map(|name| (name.as_str(), u32::MAX)).collect();
    let voter = "v".repeat(MAX_NAME_BYTES);
    let mut ballot = ballot(
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        255,
        Some(&voter),
        &votes,
    );
    ballot.ticket.issued_at = Timestamp::from_unix_ms(u64::MAX);
    ballot
}

fn golden_file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "record", name]
        .iter()
        .collect()
}

/// `CAST_BLESS=1` writes the files of records that have none yet. Those that are there never change.
#[test]
fn records_of_version_1_stay_readable_and_are_written_as_ever() {
    for (name, record) in golden_records() {
        let path = golden_file(name);
        let encoded = record::encode(&record, PARTITIONS).expect("it fits");
        if !path.exists() && std::env::var_os("CAST_BLESS").is_some() {
            fs::write(&path, &encoded).expect("the file is written");
        }
        let golden = fs::read(&path).expect("a golden file");
        let decoded = record::decode(&golden).expect("it stays readable");
        assert_eq!(&decoded.ballots, record.ballots(), "{name}");
        // A trace makes no ballot another one.
        let traces = |ballots: &[LoggedBallot]| ballots.iter().map(|b| b.trace).collect::<Vec<_>>();
        let (reported, written) = (traces(&decoded.ballots), traces(record.ballots()));
        assert_eq!(reported, written, "{name}");
        assert_eq!(decoded.partitions, Some(PARTITIONS), "{name}");
        assert_eq!(encoded, golden, "{name}");
    }
}

#[test]
fn a_trace_is_where_the_schema_says_and_never_a_reason_to_refuse_a_ballot() {
    let (_, record) = &golden_records()[3];
    let bytes = record::encode(record, PARTITIONS).expect("it fits");
    let mut read = schema::Record::decode(bytes.as_slice()).expect("a message of the schema");
    assert_eq!(
        (read.ballots[0].trace.len(), &*read.ballots[1].trace),
        (0, &TRACE[..])
    );
    for spoilt in [vec![], vec![1; 24], vec![1; 26], vec![0; 25]] {
        read.ballots[1].trace.clone_from(&spoilt);
        let decoded = record::decode(&read.encode_to_vec()).expect("it is readable");
        assert_eq!(decoded.ballots[1].trace, None, "{spoilt:?}");
    }
}

#[test]
fn another_reader_decodes_it_by_the_schema() {
    let (_, record) = &golden_records()[1];
    let bytes = record::encode(record, PARTITIONS).expect("it fits");
    let read = schema::Record::decode(bytes.as_slice()).expect("a message of the schema");
    assert_eq!((read.version, read.partitions), (1, 12));
    let first = &read.ballots[0];
    assert_eq!(first.id, record.ballots()[0].id.as_uuid().as_bytes());
    assert_eq!((first.ticket_key, first.voter.as_str()), (0, "Zoë"));
    assert_eq!(first.ticket_issued_at_ms, 1_763_826_000_000);
    let selections: Vec<_> = first
        .selections
        .iter()
        .map(|selection| (selection.candidate.as_str(), selection.votes))
        .collect();
    assert_eq!(
        selections,
        [("alice", 1), ("神田", u32::MAX), ("alice", 128)]
    );
    // The other way round: written by others, as far as it goes with all fields in order.
    assert_eq!(read.encode_to_vec(), bytes);
}

#[test]
fn unknown_fields_are_skipped() {
    let (_, record) = &golden_records()[1];
    let bytes = record::encode(record, PARTITIONS).expect("it fits");
    let mut later = schema::Record::decode(bytes.as_slice()).expect("a message of the schema");
    later.unheard_of = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_vec();
    later.ballots[1].unheard_of = 7;
    let decoded = record::decode(&later.encode_to_vec()).expect("it is readable");
    assert_eq!(&decoded.ballots, record.ballots());
}

#[test]
fn a_writer_may_leave_the_partitions_out() {
    let mut record = a_record();
    record.partitions = 0;
    let decoded = record::decode(&record.encode_to_vec()).expect("it is readable");
    assert_eq!(decoded.partitions, None);
}

fn a_record() -> schema::Record {
    let (_, record) = &golden_records()[1];
    let bytes = record::encode(record, PARTITIONS).expect("it fits");
    schema::Record::decode(bytes.as_slice()).expect("a message of the schema")
}

/// What a record is refused for, after `spoil` was at it.
fn refusal(spoil: impl FnOnce(&mut schema::Record)) -> String {
    let mut record = a_record();
    spoil(&mut record);
    let bytes = record.encode_to_vec();
    let unreadable = record::decode(&bytes).expect_err("it is refused");
    assert_eq!(unreadable.bytes.as_ref(), bytes, "the bytes are kept");
    unreadable.reason
}

type Spoil = fn(&mut schema::Ballot);

#[test]
fn a_newer_version_is_refused() {
    let reason = refusal(|record| record.version = 2);
    assert!(reason.contains("version 2"), "{reason}");
    assert!(reason.contains("update the readers"), "{reason}");
    assert!(refusal(|record| record.version = 0).contains("no version"));
}

#[test]
fn an_invalid_ballot_is_named_with_the_reason() {
    let second = "ballot 1 (6ba7b810-9dad-11d1-80b4-00c04fd430c8): ";
    let of_second = |spoil: Spoil| {
        let reason = refusal(|record| spoil(&mut record.ballots[1]));
        let reason = reason.strip_prefix(second).map(str::to_owned);
        reason.unwrap_or_else(|| panic!("it names the second ballot"))
    };
    let cases: [(Spoil, &str); 8] = [
        (
            |ballot| ballot.selections[0].candidate.clear(),
            "the candidate of its selection 0 must not be empty",
        ),
        (
            |ballot| ballot.selections[0].candidate = "x".repeat(65),
            "the candidate of its selection 0 must have at most 64 bytes, and has 65",
        ),
        (
            |ballot| ballot.selections[0].votes = 0,
            "its selection 0 has no votes",
        ),
        (
            |ballot| ballot.selections.clear(),
            "it has 0 selections, and a ballot has 1 to 16",
        ),
        (
            |ballot| ballot.selections = vec![ballot.selections[0].clone(); 17],
            "it has 17 selections, and a ballot has 1 to 16",
        ),
        (
            |ballot| {
                ballot.selections = vec![ballot.selections[0].clone(); 17];
                ballot.selections[0].candidate.clear();
            },
            "it has 17 selections, and a ballot has 1 to 16",
        ),
        (
            |ballot| ballot.voter = "\t".into(),
            "its voter must not be empty",
        ),
        (
            |ballot| ballot.ticket_key = 256,
            "its ticket_key is 256, and the largest is 255",
        ),
    ];
    for (spoil, expected) in cases {
        assert_eq!(of_second(spoil), expected);
    }
    assert_eq!(
        refusal(|record| record.ballots[2].id.truncate(15)),
        "ballot 2: its id has 15 bytes, and a UUID has 16"
    );
    assert!(
        refusal(|record| record.ballots[0].id = vec![0; 16]).starts_with("ballot 0: a ballot id")
    );
    assert_eq!(
        refusal(|record| record.ballots.clear()),
        "the record has no ballot"
    );
}

#[test]
fn arbitrary_bytes_are_unreadable_and_never_a_panic() {
    let (_, record) = &golden_records()[1];
    let whole = record::encode(record, PARTITIONS).expect("it fits");
    assert!(record::decode(b"").is_err());
    assert!(record::decode(b"no record").is_err());
    for cut in 1..whole.len() {
        // Cut between two ballots, the rest is a record of fewer ballots; anywhere else it is undecodable.
        if let Ok(decoded) = record::decode(&whole[..cut]) {
            assert!(decoded.ballots.len() < record.ballots().len());
        }
    }
    let entropy = cast_testkit::SeededEntropy::new(7);
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        let at = entropy.index(bytes.len());
        bytes[at] = u8::try_from(entropy.below(256)).expect("a byte");
        let _ = record::decode(&bytes);
    }
}

#[test]
fn a_record_of_the_largest_ballots_fits_and_a_larger_one_is_refused() {
    let largest = LoggedBallot {
        trace: TraceContext::from_bytes(TRACE),
        ..largest_ballot()
    };
    let of = |ballots| Record::new(Partition::new(0), vec![largest.clone(); ballots]);
    let bytes = record::encode(&of(Record::MAX_BALLOTS), PARTITIONS).expect("a full record fits");
    // As docs/record.md has it, but for a number of partitions that takes fewer bytes.
    assert_eq!(bytes.len(), 671_752 - 4);
    assert!(bytes.len() < MAX_BYTES * 7 / 10, "with room to spare");
    assert_eq!(
        record::decode(&bytes).map(|decoded| decoded.ballots.len()),
        Ok(512)
    );
    let error = record::encode(&of(800), PARTITIONS).expect_err("it is too large");
    assert!(error.to_string().contains("800 ballots"), "{error}");
    let reason = record::decode(&vec![0; MAX_BYTES + 1]).expect_err("too large");
    assert!(reason.reason.contains("the limit is"), "{}", reason.reason);
}

/// How many bytes a ballot takes in a record.
fn size(ballot: &LoggedBallot) -> usize {
    let encoded = |count| {
        let record = Record::new(Partition::new(0), vec![ballot.clone(); count]);
        record::encode(&record, PARTITIONS).expect("it fits").len()
    };
    encoded(2) - encoded(1)
}

/// A record of so many bytes: the largest ballots, and small ones with names for the rest.
fn record_of(bytes: usize) -> Record {
    let small = |name: usize| {
        let id = "f47ac10b-58cc-4372-a567-0e02b2c3d479";
        ballot(id, 1, None, &[("x".repeat(name).as_str(), 1)])
    };
    let (largest, least) = (largest_ballot(), size(&small(1)));
    let head = 4; // version and partitions
    let mut rest = bytes - head;
    let mut ballots = vec![largest.clone(); rest / size(&largest)];
    rest %= size(&largest);
    while rest > 0 {
        let name = (1..=MAX_NAME_BYTES).rev().map(small);
        let leaves_room =
            |ballot: &LoggedBallot| size(ballot) == rest || size(ballot) + least <= rest;
        let ballot = name.into_iter().find(leaves_room).expect("some name does");
        rest -= size(&ballot);
        ballots.push(ballot);
    }
    Record::new(Partition::new(0), ballots)
}

#[test]
fn a_record_may_have_just_as_many_bytes_as_the_limit() {
    let bytes = record::encode(&record_of(MAX_BYTES), PARTITIONS).expect("it fits");
    assert_eq!(bytes.len(), MAX_BYTES);
    assert!(record::decode(&bytes).is_ok());
    let error = record::encode(&record_of(MAX_BYTES + 1), PARTITIONS);
    let more = MAX_BYTES + 1;
    assert!(
        matches!(error, Err(EncodeError { bytes, .. }) if bytes == more),
        "{error:?}"
    );
}
