//! A ticket is read back as it was written, and vouched for only as it was made.

use cast_core::domain::{GenuineTicket, KeyId, KeyRing, Ticket, Timestamp};
use cast_testkit::{Seed, properties};
use proptest::prelude::*;

fn ring(id: u8, secret: [u8; 32]) -> KeyRing {
    KeyRing::new([(KeyId::new(id), secret)]).expect("one key is a ring")
}

/// A ring of one key, and a ticket of it.
fn genuine() -> impl Strategy<Value = (KeyRing, GenuineTicket)> {
    let parts = (any::<u8>(), any::<[u8; 32]>(), properties::timestamp());
    (parts, any::<u64>()).prop_map(|((id, secret, issued_at), seed)| {
        let ring = ring(id, secret);
        let ticket = ring.issue(issued_at, &Seed::new(seed).entropy());
        (ring, ticket)
    })
}

/// Each letter in one of the two cases, as the bits say.
fn in_mixed_case(hex: &str, upper: u64) -> String {
    let cased = hex.char_indices().map(|(at, digit)| match upper >> at & 1 {
        0 => digit,
        _ => digit.to_ascii_uppercase(),
    });
    cased.collect()
}

proptest! {
    #![proptest_config(properties::config(256))]

    #[test]
    fn a_ticket_is_read_back_from_its_hex_in_any_case(bytes: [u8; 32], upper: u64) {
        let ticket = Ticket::from_bytes(bytes);
        let hex = ticket.to_hex();
        prop_assert_eq!(hex.len(), 64);
        prop_assert_eq!(Ticket::from_hex(&in_mixed_case(&hex, upper)), Ok(ticket));
        prop_assert_eq!(ticket.as_bytes(), &bytes);
    }

    #[test]
    fn a_text_is_a_ticket_only_if_it_is_its_hex(
        text in prop_oneof![properties::text(), "[0-9a-fA-F]{62,66}", "[0-9a-g]{64}"]
    ) {
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let read = Ticket::from_hex(&text);
        prop_assert_eq!(read.is_ok(), is_hex);
        if let Ok(ticket) = read {
            prop_assert_eq!(ticket.to_hex(), text.to_ascii_lowercase());
        }
    }

    #[test]
    fn a_ticket_tells_its_key_and_its_time(
        id: u8, secret: [u8; 32], seed: u64, ms in prop_oneof![any::<u64>(), ..1_u64 << 49]
    ) {
        let issued_at = Timestamp::from_unix_ms(ms);
        let ticket = ring(id, secret).issue(issued_at, &Seed::new(seed).entropy());
        prop_assert_eq!(ticket.stamp().key_id, KeyId::new(id));
        // A ticket has 48 bits for it.
        let kept_ms = ms.min((1 << 48) - 1);
        prop_assert_eq!(ticket.issued_at(), Timestamp::from_unix_ms(kept_ms));
    }

    #[test]
    fn a_genuine_ticket_is_vouched_for_and_any_change_to_it_is_a_forgery(
        (ring, genuine) in genuine(),
        flipped in prop::collection::btree_set(0..Ticket::LEN * 8, 1..9)
    ) {
        prop_assert_eq!(ring.verify(genuine.ticket()), Some(genuine));
        let mut forged = *genuine.ticket().as_bytes();
        for bit in flipped {
            forged[bit / 8] ^= 1 << (bit % 8);
        }
        prop_assert_eq!(ring.verify(&Ticket::from_bytes(forged)), None);
    }

    #[test]
    fn another_key_of_the_same_id_vouches_for_nothing(
        (_, genuine) in genuine(), secret: [u8; 32]
    ) {
        let foreign = ring(genuine.stamp().key_id.get(), secret);
        prop_assert_eq!(foreign.verify(genuine.ticket()), None);
    }

    #[test]
    fn a_ticket_that_was_not_issued_is_refused((ring, genuine) in genuine(), bytes: [u8; 31]) {
        let mut made_up = [genuine.stamp().key_id.get(); 32];
        made_up[1..].copy_from_slice(&bytes);
        prop_assert_eq!(ring.verify(&Ticket::from_bytes(made_up)), None);
    }
}
