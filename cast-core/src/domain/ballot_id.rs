//! The identity of a ballot.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// The idempotency key of a ballot: everything with the same id is the same ballot and counts once.
///
/// The client may choose it, and can then retry safely; otherwise the vote service mints one. It is any
/// UUID except the nil and the max UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BallotId(Uuid);

impl BallotId {
    /// The ballot id with this UUID; refuses the nil and the max UUID.
    pub fn new(id: Uuid) -> Result<Self, MalformedBallotId> {
        if id.is_nil() || id.is_max() {
            Err(MalformedBallotId)
        } else {
            Ok(Self(id))
        }
    }

    /// Its UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// Its high and its low 64 bits.
    pub(super) const fn halves(self) -> (u64, u64) {
        self.0.as_u64_pair()
    }

    /// The id of two halves that the caller knows to be neither all zeros nor all ones.
    pub(super) const fn of_halves(high: u64, low: u64) -> Self {
        Self(Uuid::from_u64_pair(high, low))
    }
}

impl FromStr for BallotId {
    type Err = MalformedBallotId;

    fn from_str(text: &str) -> Result<Self, MalformedBallotId> {
        Uuid::try_parse(text)
            .map_err(|_| MalformedBallotId)
            .and_then(Self::new)
    }
}

impl fmt::Debug for BallotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for BallotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The text is not a UUID, or it is the nil or the max UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ballot id is a UUID, and neither the nil nor the max one")]
pub struct MalformedBallotId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_and_the_nil_and_max_uuids_are_refused() {
        for text in [
            "",
            "x",
            "00000000-0000-0000-0000-000000000000",
            &"f".repeat(32),
        ] {
            assert_eq!(text.parse::<BallotId>(), Err(MalformedBallotId), "{text:?}");
        }
    }

    #[test]
    fn it_is_read_and_shown_as_a_uuid() {
        let text = "0193b3a0-0000-7000-8000-000000000001";
        let id: BallotId = text.parse().expect("an id");
        assert_eq!(id.to_string(), text);
        assert_eq!(format!("{id:?}"), text);
        assert_eq!(id.as_uuid().to_string(), text);
    }
}
