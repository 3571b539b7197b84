//! A record of the log, as any writer may have encoded it.

use cast_adapters::record::{self, MAX_BYTES};
use cast_core::domain::{LoggedBallot, Partition, Partitions, Record};

/// A record that cannot be decoded is returned with its bytes and a reason. What was decoded, encoded
/// and decoded again is the same, and so is what is encoded again.
pub(crate) fn check(bytes: &[u8]) {
    let decoded = match record::decode(bytes) {
        Ok(decoded) => decoded,
        Err(unreadable) => {
            assert_eq!(&*unreadable.bytes, bytes);
            return assert!(!unreadable.reason.is_empty());
        }
    };
    assert!(!decoded.ballots.is_empty() && bytes.len() <= MAX_BYTES);
    let read = Record::new(Partition::new(0), decoded.ballots.clone());
    let partitions = decoded.partitions.unwrap_or(Partitions::ONE);
    let Ok(encoded) = record::encode(&read, partitions) else {
        // Only names can get longer (in normal form), and no number is encoded shorter than ours.
        return assert!(bytes.len() > MAX_BYTES / 4);
    };
    let again = record::decode(&encoded).expect("what CAST encodes can be decoded");
    assert_eq!(again.ballots, decoded.ballots);
    // The trace is no part of a ballot's equality.
    let traces = |ballots: &[LoggedBallot]| -> Vec<_> { ballots.iter().map(|b| b.trace).collect() };
    assert_eq!(traces(&again.ballots), traces(&decoded.ballots));
    assert_eq!(again.partitions, Some(partitions));
    assert_eq!(record::encode(&read, partitions), Ok(encoded));
}
