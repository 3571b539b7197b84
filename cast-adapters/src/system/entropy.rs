//! The system's randomness.

use cast_core::domain::Entropy;
use rand::Rng as _;

/// A cryptographic generator for each thread (`ChaCha`, from the `rand` crate), seeded by the system
/// and reseeded every 64 KiB. All values of this type are the same source.
///
/// It is fit for keys, and cheap enough for one call per ballot: a call takes no lock and hardly ever
/// makes a system call.
///
/// # Panics
///
/// If the system cannot provide a seed.
///
/// # Forks
///
/// A forked child repeats the bytes of its parent until it is reseeded; CAST never forks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    #[test]
    fn no_two_draws_are_equal_on_one_thread_or_over_threads() {
        let draw = || {
            let mut bytes = [0; 16];
            SystemEntropy.fill(&mut bytes);
            bytes
        };
        let on_a_thread = move || (0..1_000).map(|_| draw()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(on_a_thread)).collect();
        let mut drawn = HashSet::new();
        for thread in threads {
            drawn.extend(thread.join().expect("drawing does not panic"));
        }
        assert_eq!(drawn.len(), 4_000);
    }

    #[test]
    fn every_byte_is_filled_whatever_the_length() {
        // Each byte is zero by chance once in 256 times: never in all of 32 rounds.
        for len in [0, 1, 9, 10, 33, 1_000] {
            let mut ever_set = vec![0_u8; len];
            for _ in 0..32 {
                let mut bytes = vec![0; len];
                SystemEntropy.fill(&mut bytes);
                ever_set
                    .iter_mut()
                    .zip(bytes)
                    .for_each(|(set, byte)| *set |= byte);
            }
            assert!(ever_set.iter().all(|set| *set != 0), "{len} bytes");
        }
    }
}
