//! Where the randomness of a test comes from, and how to have it again.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    str::FromStr,
};

use crate::entropy::{SeededEntropy, mix};

/// The variable that a seed is taken back from.
pub const SEED_VARIABLE: &str = "CAST_TEST_SEED";

/// What all randomness of a test follows from.
///
/// A randomised test takes [`Seed::from_env_or_random`]: the seed goes to the test's output, which
/// is shown when it fails, and `CAST_TEST_SEED=…` gives the same run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// This very seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed that `CAST_TEST_SEED` names, or else a random one; and prints it.
    #[expect(
        clippy::print_stderr,
        reason = "a failed test must show what it takes to run it again"
    )]
    pub fn from_env_or_random() -> Self {
        let seed = match std::env::var(SEED_VARIABLE) {
            Ok(text) => text.parse().unwrap_or_else(|_| {
                panic!("{SEED_VARIABLE} must be a seed: 0x and hex, or a number")
            }),
            Err(_) => Self::random(),
        };
        eprintln!("to run this again: {SEED_VARIABLE}={seed}");
        seed
    }

    /// A random seed.
    pub fn random() -> Self {
        // The standard library keys its hash maps with the system's randomness.
        Self(RandomState::new().hash_one("a seed"))
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Randomness that follows from it.
    pub const fn entropy(self) -> SeededEntropy {
        SeededEntropy::new(self.0)
    }

    /// A seed of its own for the `number`th part of a test.
    pub const fn part(self, number: u64) -> Self {
        Self(mix(self.0 ^ mix(number.wrapping_add(1))))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x}", self.0)
    }
}

impl FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => text.parse(),
        }
        .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_read_back_as_it_is_shown() {
        let seed = Seed::random();
        assert_eq!(seed.to_string().parse(), Ok(seed));
        assert_eq!("12".parse(), Ok(Seed::new(12)));
        assert!("twelve".parse::<Seed>().is_err());
    }

    #[test]
    fn parts_differ_from_each_other_and_from_the_whole() {
        let seed = Seed::new(0);
        let all = [seed, seed.part(0), seed.part(1), seed.part(0).part(0)];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{all:?}");
        }
    }
}
