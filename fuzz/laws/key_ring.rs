//! The text of a key ring.

use cast_core::domain::{Entropy, KeyRing, Timestamp};

/// Always the same bytes.
struct FixedEntropy;

impl Entropy for FixedEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// A key ring verifies the tickets that it issues, and so does one with the same keys in another
/// order. Neither an error nor `Debug` shows a secret.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let ring = match text.parse::<KeyRing>() {
        Ok(ring) => ring,
        Err(error) => return assert_hides_secrets(&format!("{error} {error:?}"), text),
    };
    assert_hides_secrets(&format!("{ring:?}"), text);
    let mut entries: Vec<&str> = text.split([',', '\n']).collect();
    entries.reverse();
    let reversed: KeyRing = entries.join(",").parse().expect("the same keys");
    for (issuer, other) in [(&ring, &reversed), (&reversed, &ring)] {
        let issued = issuer.issue(Timestamp::from_unix_ms(1), &FixedEntropy);
        assert_eq!(issuer.verify(issued.ticket()), Some(issued));
        assert_eq!(other.verify(issued.ticket()), Some(issued));
    }
}

/// That `output` repeats no eight consecutive hex digits of `text`.
fn assert_hides_secrets(output: &str, text: &str) {
    for run in text.as_bytes().windows(8) {
        if run.iter().all(u8::is_ascii_hexdigit) {
            let run = std::str::from_utf8(run).expect("hex digits are text");
            assert!(!output.contains(run), "{output}");
        }
    }
}
