//! Properties of the parsers of external input: functions of arbitrary bytes, which panic if a property
//! does not hold.
//!
//! Compiled only with the feature `fuzzing`, which no release has. `fuzz/` runs them under a fuzzer,
//! `tests/fuzz.rs` with the inputs that the fuzzer has found.

use cast_core::domain::{LoggedBallot, Partition, Partitions, Record};

use crate::{
    kafka::KafkaOptions,
    postgres::PostgresOptions,
    record::{self, MAX_BYTES},
};

/// The password of the URLs in the corpus, which no message may contain.
const PASSWORD: &str = "hunter2";

/// A record in the log.
///
/// An undecodable record is returned with its bytes. A decoded record stays the same when it is encoded
/// and decoded again, and so do its bytes when it is encoded again.
pub fn record(bytes: &[u8]) {
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
    let Ok(written) = record::encode(&read, partitions) else {
        // Names may be longer in normal form, and numbers are encoded as short as possible.
        return assert!(bytes.len() > MAX_BYTES / 4);
    };
    let again = record::decode(&written).expect("what we write can be read");
    assert_eq!(again.ballots, decoded.ballots);
    // Traces are compared too: the equality of ballots ignores them.
    let traces = |ballots: &[LoggedBallot]| -> Vec<_> { ballots.iter().map(|b| b.trace).collect() };
    assert_eq!(traces(&again.ballots), traces(&decoded.ballots));
    assert_eq!(again.partitions, Some(partitions));
    assert_eq!(record::encode(&read, partitions), Ok(written));
}

/// The URL of a log or of a store.
///
/// Neither its `Debug` output nor an error contains the password.
pub fn url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let shown = match text.parse::<KafkaOptions>() {
        Ok(options) => {
            assert!(
                options
                    .brokers
                    .split(',')
                    .all(|broker| broker.contains(':'))
            );
            assert!(!options.topic.is_empty());
            format!("{options:?}")
        }
        Err(error) => format!("{error} {error:?}"),
    };
    assert_hides_password(&shown, text);
    let shown = match text.parse::<PostgresOptions>() {
        Ok(options) => format!("{options:?}"),
        Err(error) => format!("{} {error:?}", error.chain()),
    };
    assert_hides_password(&shown, text);
}

/// Asserts that `shown` does not contain the password of a URL. URLs are exempt that have the password
/// in another part too, or percent-encoded.
fn assert_hides_password(shown: &str, url: &str) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let Some((user, host)) = authority.rsplit_once('@') else {
        return;
    };
    let Some((name, password)) = user.split_once(':') else {
        return;
    };
    if [scheme, name, host, behind]
        .iter()
        .any(|part| part.contains(PASSWORD) || part.contains('%'))
    {
        return;
    }
    if password.contains(PASSWORD) {
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
}
