//! Keys come and go: what a key of the ring issued is accepted, and nothing else.

use std::fmt::Write as _;

use cast_core::domain::{GenuineTicket, KeyId, KeyRing, KeyRingError, Timestamp};
use cast_testkit::{Seed, properties};
use proptest::{collection::vec, prelude::*, sample::Index};

type Key = (u8, [u8; 32]);

/// What an operator does to a ring, and what a generator does meanwhile.
#[derive(Clone, Debug)]
enum Step {
    /// A key that issues from now on.
    AddFirst(Key),
    /// A key that is accepted from now on.
    AddLast(Key),
    /// Whichever this is becomes the one that issues.
    MakeFirst(Index),
    Drop(Index),
    Issue(u64),
}

fn step() -> impl Strategy<Value = Step> {
    // Few ids: most come back with another secret.
    let key = (0..4_u8, any::<[u8; 32]>());
    prop_oneof![
        1 => key.clone().prop_map(Step::AddFirst),
        1 => key.prop_map(Step::AddLast),
        1 => any::<Index>().prop_map(Step::MakeFirst),
        1 => any::<Index>().prop_map(Step::Drop),
        3 => any::<u64>().prop_map(Step::Issue),
    ]
}

fn ring(keys: &[Key]) -> Result<KeyRing, KeyRingError> {
    let named = keys.iter().map(|(id, secret)| (KeyId::new(*id), secret));
    KeyRing::new(named)
}

/// Does a step to the keys; what is no step for them changes nothing.
fn take(step: &Step, keys: &mut Vec<Key>) {
    let is_known = |id: u8, keys: &[Key]| keys.iter().any(|(known, _)| *known == id);
    match step {
        Step::AddFirst(key) if !is_known(key.0, keys) => keys.insert(0, *key),
        Step::AddLast(key) if !is_known(key.0, keys) => keys.push(*key),
        Step::MakeFirst(at) => {
            let key = keys.remove(at.index(keys.len()));
            keys.insert(0, key);
        }
        Step::Drop(at) if keys.len() > 1 => {
            keys.remove(at.index(keys.len()));
        }
        _ => {}
    }
}

/// Distinct ids, with any secrets.
fn keys() -> impl Strategy<Value = Vec<Key>> {
    let any_keys = vec(any::<Key>(), 1..5);
    any_keys.prop_map(|mut keys| {
        keys.sort_unstable();
        keys.dedup_by_key(|(id, _)| *id);
        keys
    })
}

fn issue(ring: &KeyRing, seed: u64) -> GenuineTicket {
    ring.issue(
        Timestamp::from_unix_ms(seed >> 16),
        &Seed::new(seed).entropy(),
    )
}

proptest! {
    #![proptest_config(properties::config(256))]

    #[test]
    fn what_a_key_of_the_ring_issued_is_accepted_and_nothing_else(
        first: Key, steps in vec(step(), 1..24)
    ) {
        let mut keys = vec![first];
        let mut issued: Vec<(Key, GenuineTicket)> = Vec::new();
        for step in steps {
            take(&step, &mut keys);
            let ring = ring(&keys).expect("distinct ids, and never empty");
            if let Step::Issue(seed) = step {
                let ticket = issue(&ring, seed);
                prop_assert_eq!(ticket.stamp().key_id, KeyId::new(keys[0].0));
                issued.push((keys[0], ticket));
            }
            for (key, ticket) in &issued {
                let accepted = ring.verify(ticket.ticket());
                prop_assert_eq!(accepted, keys.contains(key).then_some(*ticket));
            }
        }
    }

    #[test]
    fn a_ring_is_read_back_from_its_text_however_it_is_laid_out(
        keys in keys(),
        layout in vec((prop::sample::select(vec![",", "\n", "\r\n", ",,", " ,\n"]), " {0,2}", any::<bool>()), 5),
        seed: u64
    ) {
        let mut text = String::new();
        for ((id, secret), (end, space, upper)) in keys.iter().zip(&layout) {
            let hex = hex::encode(secret);
            let hex = if *upper { hex.to_uppercase() } else { hex };
            write!(text, "{space}{id}{space}:{space}{hex}{end}").expect("a text takes it");
        }
        let (read, made): (KeyRing, _) = (text.parse().expect("a ring"), ring(&keys).expect("a ring"));
        let ids: Vec<u8> = keys.iter().map(|(id, _)| *id).collect();
        prop_assert_eq!(format!("{read:?}"), format!("KeyRing{ids:?}"));
        prop_assert_eq!(issue(&read, seed), issue(&made, seed));
        for key in &keys {
            let ticket = issue(&ring(&[*key]).expect("a ring"), seed);
            prop_assert!(read.verify(ticket.ticket()).is_some());
        }
    }

    #[test]
    fn an_id_that_stands_twice_is_no_ring(mut keys in keys(), again: Index, secret: [u8; 32], at: Index) {
        let id = keys[again.index(keys.len())].0;
        keys.insert(at.index(keys.len() + 1), (id, secret));
        prop_assert_eq!(ring(&keys).err(), Some(KeyRingError::DuplicateId { id }));
    }

    #[test]
    fn a_secret_is_long_enough_or_no_key(id: u8, secret in vec(any::<u8>(), 0..80)) {
        let text = format!("{id}:{}", hex::encode(&secret));
        let expected = match secret.len() {
            0..32 => Some(KeyRingError::ShortSecret { id, len: secret.len() }),
            _ => None,
        };
        prop_assert_eq!(text.parse::<KeyRing>().err(), expected);
    }

    #[test]
    fn an_error_never_tells_a_secret(secret: [u8; 32], id: u16, broken in "[ :,x0]{0,3}", at: Index) {
        let hex = hex::encode(secret);
        let mut text = format!("{id}:{hex}");
        text.insert_str(at.index(text.len() + 1), &broken);
        if let Err(error) = text.parse::<KeyRing>() {
            let (shown, debug) = (error.to_string(), format!("{error:?}"));
            for part in hex.as_bytes().windows(8) {
                let part = std::str::from_utf8(part).expect("hex digits");
                prop_assert!(!shown.contains(part) && !debug.contains(part), "{} of {}", shown, text);
            }
        }
    }
}
