//! What a voter sends: a ticket in hex, and the id of a ballot.

use std::sync::LazyLock;

use cast_core::domain::{BallotId, Entropy, KeyId, KeyRing, Ticket};

/// Returns the bytes that it holds, as the nonce of a ticket to be issued again.
struct FixedEntropy<'a>(&'a [u8]);

impl Entropy for FixedEntropy<'_> {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(self.0);
    }
}

fn ring_of(id: u8) -> KeyRing {
    KeyRing::new([(KeyId::new(id), [id; 32])]).expect("one key is a ring")
}

/// The keys of all genuine tickets in the corpus.
static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    let keys = [2, 1].map(|id| (KeyId::new(id), [id; 32]));
    KeyRing::new(keys).expect("two ids, two secrets")
});

/// A text is a ticket if and only if it is 64 hex digits, and is formatted as the same digits. A
/// ticket is verified if and only if it is, byte by byte, the one that its key would have issued.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parsed = Ticket::from_hex(text);
    assert_eq!(parsed.is_ok(), is_hex);
    if let Ok(ticket) = parsed {
        assert_eq!(ticket.to_hex(), text.to_ascii_lowercase());
        let nonce = FixedEntropy(&ticket.as_bytes()[7..16]);
        let issued = [1, 2].map(|id| ring_of(id).issue(ticket.issued_at(), &nonce));
        let genuine = issued.into_iter().find(|issued| *issued.ticket() == ticket);
        assert_eq!(RING.verify(&ticket), genuine);
    }
    if let Ok(id) = text.parse::<BallotId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(BallotId::new(id.as_uuid()), Ok(id));
    }
}
