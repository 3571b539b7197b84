//! Randomness that can be had again.

use std::sync::atomic::{AtomicU64, Ordering};

use cast_core::domain::Entropy;

/// Random bytes that follow from a seed. **For tests alone**: a reader of some of them knows the
/// rest, and with them every key.
///
/// ```
/// use cast_core::domain::Entropy;
/// use cast_testkit::SeededEntropy;
///
/// let (one, other) = (SeededEntropy::new(7), SeededEntropy::new(7));
/// let (mut a, mut b) = ([0; 16], [0; 16]);
/// one.fill(&mut a);
/// other.fill(&mut b);
/// assert_eq!(a, b);
/// ```
#[derive(Debug)]
pub struct SeededEntropy {
    state: AtomicU64,
}

impl SeededEntropy {
    /// The bytes of this seed.
    pub const fn new(seed: u64) -> Self {
        Self {
            state: AtomicU64::new(seed),
        }
    }

    /// The next 64 bits.
    pub fn next(&self) -> u64 {
        let before = self.state.fetch_add(GOLDEN_GAMMA, Ordering::Relaxed);
        mix(before.wrapping_add(GOLDEN_GAMMA))
    }

    /// A number from 0 to `end` less one.
    pub fn below(&self, end: u64) -> u64 {
        assert!(end > 0, "there is no number below zero");
        // The high half of the product is as even as 64 bits allow.
        u64::try_from((u128::from(self.next()) * u128::from(end)) >> 64).expect("below end")
    }

    /// An index of something with `len` elements.
    pub fn index(&self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("below a usize")
    }

    /// Puts `items` into a random order.
    pub fn shuffle<T>(&self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.index(at + 1));
        }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of Steele, Lea and Flood's `SplittableRandom` (2014).
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_below_their_end_and_reach_all_of_it() {
        let entropy = SeededEntropy::new(1);
        let mut reached = [false; 5];
        (0..200).for_each(|_| reached[entropy.index(5)] = true);
        assert_eq!(reached, [true; 5]);
    }

    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<_> = (0..50).collect();
        SeededEntropy::new(1).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
