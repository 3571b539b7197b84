//! The name of a candidate or of a voter.

use cast_core::domain::{Candidate, MAX_NAME_BYTES, NameError, Voter};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A name is in normal form C, has 1 to 64 bytes and no control characters, parses to itself, and is
/// the same however its characters were composed.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let candidate = Candidate::new(text);
    let voter = Voter::new(text).map(|voter| voter.to_string());
    assert_eq!(voter, candidate.clone().map(|name| name.to_string()));
    let composed: String = text.nfc().collect();
    match candidate {
        Ok(name) => {
            assert!(is_nfc(name.as_str()));
            assert_eq!(name.as_str(), composed);
            assert!((1..=MAX_NAME_BYTES).contains(&name.as_str().len()));
            assert!(!name.as_str().chars().any(char::is_control));
            let decomposed: String = text.nfd().collect();
            assert_eq!(Candidate::new(&composed), Ok(name.clone()));
            assert_eq!(Candidate::new(&decomposed), Ok(name));
        }
        Err(NameError::TooLong { .. }) => assert!(composed.len() > MAX_NAME_BYTES),
        Err(NameError::Empty) => assert!(text.trim().is_empty()),
        Err(NameError::Forbidden { character }) => assert!(text.contains(character)),
    }
}
