//! The keys that sign tickets.

use std::{fmt, str::FromStr};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    entropy::Entropy,
    ticket::{GenuineTicket, KeyId, Ticket},
    time::Timestamp,
};

/// Part of what is signed: a tag that the same key made for another purpose is not valid here.
const PURPOSE: &[u8] = b"cast ticket v1\0";

/// The HMAC keys, newest first: tickets are issued with the first key, and tickets of all keys are
/// accepted.
///
/// To rotate keys without downtime, add the new key at the end of the ring of every process (it is
/// accepted), then move it to the front everywhere (it issues), and remove the old key when its last
/// ticket has expired.
///
/// As text it is `id:hex` entries, newest first, separated by commas or line ends. `id` is 0 to 255, and
/// the secret has 32 bytes or more.
///
/// ```
/// use cast_core::domain::KeyRing;
///
/// let text = format!("2:{}, 1:{}", "cd".repeat(32), "ab".repeat(32));
/// let ring: KeyRing = text.parse()?;
/// assert_eq!(format!("{ring:?}"), "KeyRing[2, 1]"); // without the secrets
/// # Ok::<(), cast_core::domain::KeyRingError>(())
/// ```
#[derive(Clone)]
pub struct KeyRing {
    /// Not empty, with distinct ids. Each HMAC is keyed once, so a tag costs a clone and two compressions
    /// of SHA-256.
    keys: Vec<(KeyId, Hmac<Sha256>)>,
}

impl KeyRing {
    /// The least length of a secret, in bytes: that of the hash's output.
    pub const MIN_SECRET_LEN: usize = 32;

    /// A ring of the given keys, newest first.
    pub fn new<S: AsRef<[u8]>>(
        keys: impl IntoIterator<Item = (KeyId, S)>,
    ) -> Result<Self, KeyRingError> {
        let mut ring: Vec<(KeyId, Hmac<Sha256>)> = Vec::new();
        for (id, secret) in keys {
            let secret = secret.as_ref();
            if secret.len() < Self::MIN_SECRET_LEN {
                return Err(KeyRingError::ShortSecret {
                    id: id.get(),
                    len: secret.len(),
                });
            }
            if ring.iter().any(|(other, _)| *other == id) {
                return Err(KeyRingError::DuplicateId { id: id.get() });
            }
            let mac = Hmac::new_from_slice(secret).expect("HMAC takes a key of any length");
            ring.push((id, mac));
        }
        if ring.is_empty() {
            Err(KeyRingError::Empty)
        } else {
            Ok(Self { keys: ring })
        }
    }

    /// A ring of one random key, for a process that shares its tickets with no other process: tickets
    /// become invalid when the process exits.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut secret = Zeroizing::new([0; Self::MIN_SECRET_LEN]);
        entropy.fill(&mut *secret);
        Self::new([(KeyId::new(0), &*secret)]).expect("one key of full length is a ring")
    }

    /// Issues a ticket with the newest key.
    pub fn issue(&self, issued_at: Timestamp, entropy: &dyn Entropy) -> GenuineTicket {
        let (id, mac) = &self.keys[0];
        let mut nonce = [0; 9];
        entropy.fill(&mut nonce);
        let body = Ticket::lay_out_body(*id, issued_at, nonce);
        let tag = mac
            .clone()
            .chain_update(PURPOSE)
            .chain_update(body)
            .finalize()
            .into_bytes();
        let mut bytes = [0; Ticket::LEN];
        bytes[..Ticket::BODY_LEN].copy_from_slice(&body);
        bytes[Ticket::BODY_LEN..].copy_from_slice(&tag[..Ticket::LEN - Ticket::BODY_LEN]);
        GenuineTicket::vouched_for(Ticket::from_bytes(bytes))
    }

    /// The ticket, if one of the keys made its tag; `None` for a forged ticket. No I/O.
    ///
    /// The tag is compared in constant time. Whether the ring has the key's id may be seen in the time
    /// this takes: ids are not secret.
    pub fn verify(&self, ticket: &Ticket) -> Option<GenuineTicket> {
        let (_, mac) = self.keys.iter().find(|(id, _)| *id == ticket.key_id())?;
        mac.clone()
            .chain_update(PURPOSE)
            .chain_update(ticket.body())
            .verify_truncated_left(ticket.tag())
            .ok()
            .map(|()| GenuineTicket::vouched_for(*ticket))
    }
}

impl FromStr for KeyRing {
    type Err = KeyRingError;

    fn from_str(text: &str) -> Result<Self, KeyRingError> {
        let mut keys = Vec::new();
        let entries = text
            .split([',', '\n'])
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        for (at, entry) in entries.enumerate() {
            // The entry contains a secret: the error gives its number, not its text.
            let malformed = KeyRingError::Malformed { entry: at + 1 };
            let Some((id, secret)) = entry.split_once(':') else {
                return Err(malformed);
            };
            let id: u8 = id.trim().parse().map_err(|_| malformed.clone())?;
            let secret = hex::decode(secret.trim()).map_err(|_| malformed)?;
            keys.push((KeyId::new(id), Zeroizing::new(secret)));
        }
        Self::new(keys)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing")?;
        f.debug_list()
            .entries(self.keys.iter().map(|(id, _)| id.get()))
            .finish()
    }
}

/// Why a text or a list of keys cannot be a key ring. No message contains a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// There is no key.
    #[error("a key ring needs at least one key, written id:hex")]
    Empty,
    /// An entry is not `id:hex`.
    #[error(
        "entry {entry} of the key ring is not id:hex (id from 0 to 255, then a secret of 32 bytes or more in hex)"
    )]
    Malformed {
        /// The number of the entry, counted from 1.
        entry: usize,
    },
    /// A secret is too short to be safe.
    #[error("the secret of key {id} has {len} bytes, and needs 32 or more (openssl rand -hex 32)")]
    ShortSecret {
        /// The id of the key.
        id: u8,
        /// The length of the secret in bytes.
        len: usize,
    },
    /// Two keys share an id.
    #[error("key id {id} is used twice in the key ring: give each key its own id")]
    DuplicateId {
        /// The id that is used twice.
        id: u8,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (at, byte) in (0..).zip(bytes) {
                *byte = at;
            }
        }
    }

    fn key(id: u8) -> (KeyId, [u8; 32]) {
        (KeyId::new(id), [id; 32])
    }

    fn ring(ids: &[u8]) -> KeyRing {
        KeyRing::new(ids.iter().map(|id| key(*id))).expect("a ring")
    }

    #[test]
    fn a_verified_ticket_has_its_issue_time_and_its_key() {
        let ring = ring(&[7]);
        let issued_at = Timestamp::from_unix_ms(1_763_826_000_000);
        let ticket = *ring.issue(issued_at, &Counting).ticket();
        assert_eq!(
            ring.verify(&ticket).map(|t| t.stamp().key_id),
            Some(KeyId::new(7))
        );
        assert_eq!(ticket.issued_at(), issued_at);
    }

    #[test]
    fn the_tag_is_hmac_sha256_over_purpose_and_body() {
        // Known answer, from Python: hmac.new(bytes([7]*32), b"cast ticket v1\0" + body, "sha256")
        let ticket = *ring(&[7])
            .issue(Timestamp::from_unix_ms(1_000), &Counting)
            .ticket();
        let expected = "070000000003e8000102030405060708";
        assert_eq!(&ticket.to_hex()[..32], expected);
        assert_eq!(&ticket.to_hex()[32..], "9fd35bd38fe9826672a9432cc32b28db");
    }

    #[test]
    fn a_ticket_with_any_flipped_bit_is_refused() {
        let ring = ring(&[7]);
        let bytes = *ring
            .issue(Timestamp::from_unix_ms(1), &Counting)
            .ticket()
            .as_bytes();
        for bit in 0..Ticket::LEN * 8 {
            let mut forged = bytes;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ring.verify(&Ticket::from_bytes(forged)), None, "bit {bit}");
        }
    }

    #[test]
    fn the_first_key_issues_and_tickets_of_all_keys_are_accepted() {
        let at = Timestamp::from_unix_ms(1);
        let (old, both, new) = (ring(&[1]), ring(&[2, 1]), ring(&[2]));
        let of_old = *old.issue(at, &Counting).ticket();
        let of_both = *both.issue(at, &Counting).ticket();
        assert!(both.verify(&of_old).is_some());
        assert!(new.verify(&of_both).is_some());
        assert!(old.verify(&of_both).is_none());
        assert!(new.verify(&of_old).is_none());
    }

    #[test]
    fn it_parses_entries_between_commas_and_line_ends() {
        let (a, b) = ("aa".repeat(32), "bb".repeat(33));
        for text in [format!("2:{a},1:{b}"), format!(" 2 : {a}\n\n1:{b}\r\n")] {
            assert_eq!(
                format!("{:?}", text.parse::<KeyRing>()),
                "Ok(KeyRing[2, 1])"
            );
        }
    }

    #[test]
    fn no_error_of_a_malformed_ring_contains_the_secret() {
        let secret = "ab".repeat(32);
        let rows = [
            (String::new(), KeyRingError::Empty),
            (
                format!("1:{secret},{secret}"),
                KeyRingError::Malformed { entry: 2 },
            ),
            (
                format!("256:{secret}"),
                KeyRingError::Malformed { entry: 1 },
            ),
            (format!("1:{secret}x"), KeyRingError::Malformed { entry: 1 }),
            ("1:abab".into(), KeyRingError::ShortSecret { id: 1, len: 2 }),
            (
                format!("1:{secret},1:{secret}"),
                KeyRingError::DuplicateId { id: 1 },
            ),
        ];
        for (text, expected) in rows {
            let error = text.parse::<KeyRing>().expect_err(&text);
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("abab"), "{error}");
        }
    }
}
