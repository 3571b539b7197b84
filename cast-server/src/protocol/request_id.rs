//! The id of a request, in its answer and in the log.

use std::fmt;

use cast_core::domain::Entropy;
use http::HeaderValue;

/// The header that carries it, both ways.
pub(crate) const HEADER: &str = "x-request-id";

/// The longest id that a caller may give: as long as a UUID. A ticket is longer, so that none ends in
/// the log when a client confuses its headers.
const MAX_LEN: usize = 36;

/// The id of a request: the caller's, if it is well formed, or 32 random hex digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's id, or a fresh one.
    pub(crate) fn of(given: Option<&HeaderValue>, entropy: &dyn Entropy) -> Self {
        match given {
            Some(given) if is_well_formed(given.as_bytes()) => Self(given.clone()),
            _ => Self::fresh(entropy),
        }
    }

    /// A fresh one.
    pub(crate) fn fresh(entropy: &dyn Entropy) -> Self {
        let (mut random, mut text) = ([0; 16], [0; 32]);
        entropy.fill(&mut random);
        hex::encode_to_slice(random, &mut text).expect("two digits a byte");
        Self(HeaderValue::from_bytes(&text).expect("hex digits may stand in a header"))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// As a header.
    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_well_formed(id: &[u8]) -> bool {
    (1..=MAX_LEN).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;

    impl Entropy for Ones {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0x1F);
        }
    }

    fn of(given: &str) -> String {
        let given = HeaderValue::from_str(given).unwrap();
        RequestId::of(Some(&given), &Ones).to_string()
    }

    #[test]
    fn a_well_formed_id_is_kept() {
        for id in ["a", "0193b3a0-0000-7000-8000-000000000001", "A.b_c-9"] {
            assert_eq!(of(id), id);
        }
    }

    #[test]
    fn anything_else_is_replaced() {
        let fresh = "1f".repeat(16);
        assert_eq!(RequestId::of(None, &Ones).as_str(), fresh);
        for id in ["", "a b", "a\"b", &"a".repeat(37), &"ab".repeat(32)] {
            assert_eq!(of(id), fresh, "{id:?}");
        }
    }
}
