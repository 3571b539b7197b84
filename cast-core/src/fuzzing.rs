//! The laws of what reads bytes from outside: functions of any bytes, which panic where one is broken.
//!
//! Compiled only with the feature `fuzzing`, which no release has. `fuzz/` runs them under a fuzzer,
//! `tests/fuzz.rs` with what that has found.

use std::sync::LazyLock;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::{
    domain::{
        BallotId, Candidate, KeyId, KeyRing, MAX_NAME_BYTES, NameError, Ticket, Timestamp, Voter,
    },
    ports::Entropy,
};

/// Gives the bytes that it is asked to.
struct These<'a>(&'a [u8]);

impl Entropy for These<'_> {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(self.0);
    }
}

fn ring_of(id: u8) -> KeyRing {
    KeyRing::new([(KeyId::new(id), [id; 32])]).expect("one key is a ring")
}

/// The keys of all tickets that are good: the corpus has some.
static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    let keys = [2, 1].map(|id| (KeyId::new(id), [id; 32]));
    KeyRing::new(keys).expect("two ids, two secrets")
});

/// What a voter shows: a ticket in hex, and a ballot's id.
///
/// A text is a ticket if it is 64 hex digits, and is written back as them. A ticket is vouched for if
/// it is, byte by byte, the one that its key would have issued.
pub fn ticket(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let read = Ticket::from_hex(text);
    assert_eq!(read.is_ok(), is_hex);
    if let Ok(ticket) = read {
        assert_eq!(ticket.to_hex(), text.to_ascii_lowercase());
        let nonce = These(&ticket.as_bytes()[7..16]);
        let issued = [1, 2].map(|id| ring_of(id).issue(ticket.issued_at(), &nonce));
        let genuine = issued.into_iter().find(|issued| *issued.ticket() == ticket);
        assert_eq!(RING.verify(&ticket), genuine);
    }
    if let Ok(id) = text.parse::<BallotId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(BallotId::new(id.as_uuid()), Ok(id));
    }
}

/// The text of a key ring.
///
/// A ring vouches for what it issues; so does one with the same keys in another order. No error and no
/// `Debug` shows a secret.
pub fn key_ring(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let ring = match text.parse::<KeyRing>() {
        Ok(ring) => ring,
        Err(error) => {
            let shown = format!("{error} {error:?}");
            return assert_hides(&shown, text);
        }
    };
    assert_hides(&format!("{ring:?}"), text);
    let mut entries: Vec<&str> = text.split([',', '\n']).collect();
    entries.reverse();
    let reversed: KeyRing = entries.join(",").parse().expect("the same keys");
    for (one, other) in [(&ring, &reversed), (&reversed, &ring)] {
        let issued = one.issue(Timestamp::from_unix_ms(1), &These(&[7; 9]));
        assert_eq!(one.verify(issued.ticket()), Some(issued));
        assert_eq!(other.verify(issued.ticket()), Some(issued));
    }
}

/// That `shown` repeats no eight hex digits of `text` that stand together there.
fn assert_hides(shown: &str, text: &str) {
    for run in text.as_bytes().windows(8) {
        if run.iter().all(u8::is_ascii_hexdigit) {
            let run = std::str::from_utf8(run).expect("hex digits are text");
            assert!(!shown.contains(run), "{shown}");
        }
    }
}

/// The name of a candidate or a voter.
///
/// A name is in normal form C, has 1 to 64 bytes, is the name of itself, and is the same however it
/// was composed.
pub fn name(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let named = Candidate::new(text);
    let voter = Voter::new(text).map(|voter| voter.to_string());
    assert_eq!(voter, named.clone().map(|name| name.to_string()));
    let composed: String = text.nfc().collect();
    match named {
        Ok(name) => {
            assert!(is_nfc(name.as_str()));
            assert_eq!(name.as_str(), composed);
            assert!((1..=MAX_NAME_BYTES).contains(&name.as_str().len()));
            assert!(!name.as_str().chars().any(char::is_control));
            let apart: String = text.nfd().collect();
            assert_eq!(Candidate::new(&composed), Ok(name.clone()));
            assert_eq!(Candidate::new(&apart), Ok(name));
        }
        Err(NameError::TooLong { .. }) => assert!(composed.len() > MAX_NAME_BYTES),
        Err(NameError::Empty) => assert!(text.trim().is_empty()),
        Err(NameError::Forbidden { character }) => assert!(text.contains(character)),
    }
}
