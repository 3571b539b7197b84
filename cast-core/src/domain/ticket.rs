//! The ticket: 32 bytes that carry their own proof of origin.

use std::fmt;

use super::time::Timestamp;

/// The number of a key in the [`KeyRing`](super::KeyRing), 0 to 255. Each ticket carries it in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u8);

impl KeyId {
    /// The key id with this number.
    pub const fn new(id: u8) -> Self {
        Self(id)
    }

    /// Its number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// The right to cast ballots during one period: 32 bytes, written as 64 hex digits.
///
/// | bytes | hold |
/// |---|---|
/// | 0 | the id of the key that made the tag |
/// | 1 to 6 | when it was issued, milliseconds since the Unix epoch, big-endian |
/// | 7 to 15 | a random nonce |
/// | 16 to 31 | HMAC-SHA256 over the 16 bytes before, truncated to 16 bytes |
///
/// A `Ticket` has the right length and nothing more: it may be forged. Only a [`KeyRing`] turns it into
/// a [`GenuineTicket`], and only a genuine ticket reaches a port.
///
/// A ticket is a bearer token: `Debug` shows its key and its issue time, never its nonce or its tag.
///
/// [`KeyRing`]: super::KeyRing
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket([u8; Ticket::LEN]);

impl Ticket {
    /// The length of a ticket in bytes.
    pub const LEN: usize = 32;
    /// How many of these bytes the tag covers: the first ones.
    pub(super) const BODY_LEN: usize = 16;

    /// The ticket with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Parses 64 hex digits of either case.
    pub fn from_hex(text: &str) -> Result<Self, MalformedTicket> {
        let mut bytes = [0; Self::LEN];
        // `decode_to_slice` compares the lengths first: a text that is too long costs nothing.
        hex::decode_to_slice(text, &mut bytes).map_err(|_| MalformedTicket)?;
        Ok(Self(bytes))
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Its 64 hex digits in lower case.
    ///
    /// There is no `Display`, so that `{}` cannot write a ticket into a log by mistake.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The key that it claims to be made with.
    pub const fn key_id(&self) -> KeyId {
        KeyId::new(self.0[0])
    }

    /// When it claims to be issued.
    pub fn issued_at(&self) -> Timestamp {
        let mut ms = [0; 8];
        ms[2..].copy_from_slice(&self.0[1..7]);
        Timestamp::from_unix_ms(u64::from_be_bytes(ms))
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.0[..Self::BODY_LEN]
    }

    pub(super) fn tag(&self) -> &[u8] {
        &self.0[Self::BODY_LEN..]
    }

    /// The part that the tag covers. A time after the year 10889 does not fit into its 48 bits and becomes
    /// the last one that does.
    pub(super) fn lay_out_body(key: KeyId, issued_at: Timestamp, nonce: [u8; 9]) -> [u8; 16] {
        let ms = issued_at.as_unix_ms().min((1 << 48) - 1).to_be_bytes();
        let mut body = [0; Self::BODY_LEN];
        body[0] = key.get();
        body[1..7].copy_from_slice(&ms[2..]);
        body[7..].copy_from_slice(&nonce);
        body
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Ticket(key {}, issued at {:?}, ..)",
            self.key_id().get(),
            self.issued_at()
        )
    }
}

/// The text is not 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ticket is 64 hex digits")]
pub struct MalformedTicket;

/// A ticket whose tag a [`KeyRing`](super::KeyRing) has verified or made.
///
/// There is no other way to construct one, so a port that takes it never sees a forged ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenuineTicket(Ticket);

impl GenuineTicket {
    pub(super) const fn vouched_for(ticket: Ticket) -> Self {
        Self(ticket)
    }

    /// The ticket.
    pub const fn ticket(&self) -> &Ticket {
        &self.0
    }

    /// When it was issued.
    pub fn issued_at(&self) -> Timestamp {
        self.0.issued_at()
    }

    /// What the log stores of it.
    pub fn stamp(&self) -> TicketStamp {
        TicketStamp {
            key_id: self.0.key_id(),
            issued_at: self.0.issued_at(),
        }
    }
}

/// Identifies the ticket of a ballot by key and issue time, without the secret part: a reader of the
/// log cannot vote with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TicketStamp {
    /// The key that made its tag.
    pub key_id: KeyId,
    /// When it was issued.
    pub issued_at: Timestamp,
}

/// A ticket as a generator publishes it to the ticket source, valid in one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodTicket {
    /// The ticket. Its issue time is the start of its period.
    pub ticket: Ticket,
    /// From this time on it is expired.
    pub valid_until: Timestamp,
    /// How many ballots can be cast with it.
    pub use_limit: u32,
}

impl PeriodTicket {
    /// When its period begins. Before that it is neither shown nor redeemed.
    pub fn valid_from(&self) -> Timestamp {
        self.ticket.issued_at()
    }

    /// Whether it can be used at `now`.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.valid_from() <= now && now < self.valid_until
    }
}

/// The ticket that is valid now, as voters see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentTicket {
    /// The ticket to vote with.
    pub id: Ticket,
    /// From this time on it is expired.
    pub valid_until: Timestamp,
    /// How many more ballots can be cast with it.
    pub uses_left: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_of_either_case_parses_and_is_shown_in_lower_case() {
        let ticket = Ticket::from_bytes(std::array::from_fn(|i| u8::try_from(i * 7).unwrap_or(0)));
        let hex = ticket.to_hex();
        assert_eq!(hex, hex::encode(ticket.as_bytes()));
        assert!(hex.starts_with("00070e15") && hex.len() == 64, "{hex}");
        assert_eq!(Ticket::from_hex(&hex), Ok(ticket));
        assert_eq!(Ticket::from_hex(&hex.to_uppercase()), Ok(ticket));
    }

    #[test]
    fn other_lengths_and_other_digits_are_malformed() {
        for text in [
            "",
            "ab",
            &"a".repeat(63),
            &"a".repeat(65),
            &"g".repeat(64),
            &"é".repeat(32),
        ] {
            assert_eq!(Ticket::from_hex(text), Err(MalformedTicket), "{text:?}");
        }
    }

    #[test]
    fn debug_shows_neither_nonce_nor_tag() {
        let ticket = Ticket::from_bytes([0xEE; Ticket::LEN]);
        let shown = format!("{ticket:?} {:?}", GenuineTicket::vouched_for(ticket));
        assert!(
            !shown.contains("eeee") && !shown.contains("238, 238"),
            "{shown}"
        );
    }

    #[test]
    fn a_period_ticket_is_valid_from_its_issue_until_just_before_its_end() {
        let at = Timestamp::from_unix_ms;
        let body = Ticket::lay_out_body(KeyId::new(1), at(2_000), [0; 9]);
        let mut bytes = [0; Ticket::LEN];
        bytes[..16].copy_from_slice(&body);
        let ticket = Ticket::from_bytes(bytes);
        let period = PeriodTicket {
            ticket,
            valid_until: at(4_000),
            use_limit: 1,
        };
        let valid = [1_999, 2_000, 3_999, 4_000].map(|ms| period.is_valid_at(at(ms)));
        assert_eq!(valid, [false, true, true, false]);
    }

    #[test]
    fn debug_shows_the_key_and_the_time() {
        let body = Ticket::lay_out_body(KeyId::new(7), Timestamp::from_unix_ms(2_000), [0; 9]);
        let mut bytes = [0; Ticket::LEN];
        bytes[..16].copy_from_slice(&body);
        let shown = format!("{:?}", Ticket::from_bytes(bytes));
        assert_eq!(shown, "Ticket(key 7, issued at 2000ms, ..)");
    }

    #[test]
    fn a_time_beyond_48_bits_is_laid_out_as_the_last_that_fits() {
        let last = (1 << 48) - 1;
        for (ms, kept) in [
            (last - 1, last - 1),
            (last, last),
            (last + 1, last),
            (u64::MAX, last),
        ] {
            let body = Ticket::lay_out_body(KeyId::new(1), Timestamp::from_unix_ms(ms), [0; 9]);
            let mut bytes = [0; Ticket::LEN];
            bytes[..16].copy_from_slice(&body);
            let ticket = Ticket::from_bytes(bytes);
            assert_eq!(ticket.issued_at(), Timestamp::from_unix_ms(kept));
            assert_eq!(ticket.key_id(), KeyId::new(1), "nothing spilled over");
        }
    }
}
