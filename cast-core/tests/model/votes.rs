//! Ballots and votes, in words that a state can hold by the million.

use std::fmt;

/// How many ballots a scope may have.
pub(crate) const BALLOTS: usize = 4;

/// One bit in each ballot's four.
const ONES: u16 = 0x1111;

/// A set of ballots, by their ids.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ballots(u16);

impl Ballots {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn of<const N: usize>(ids: [usize; N]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < N {
            assert!(ids[i] < BALLOTS, "a ballot of this model");
            bits |= 1 << (4 * ids[i]);
            i += 1;
        }
        Self(bits)
    }

    pub(crate) const fn one(id: usize) -> Self {
        Self::of([id])
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(crate) const fn has(self, id: usize) -> bool {
        self.0 & (1 << (4 * id)) != 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The first `count` of them.
    pub(crate) fn first(self, count: usize) -> Self {
        let first = self.ids().take(count);
        first.fold(Self::NONE, |first, id| first.and(Self::one(id)))
    }

    pub(crate) fn ids(self) -> impl Iterator<Item = usize> {
        (0..BALLOTS).filter(move |id| self.has(*id))
    }

    /// All the sets with some, but not too many, of these.
    pub(crate) fn choices(self, at_most: usize) -> impl Iterator<Item = Self> {
        // The next larger number that has no bits but these; after the largest comes nothing.
        let next = move |some: &Self| Some(Self(some.0.wrapping_sub(self.0) & self.0));
        let all = std::iter::successors(next(&Self::NONE), next);
        all.take_while(|some| !some.is_empty())
            .filter(move |some| some.len() <= at_most)
    }
}

impl fmt::Debug for Ballots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.ids()).finish()
    }
}

/// Votes by the ballots that they come from: how often each ballot is in a number. Four bits a
/// ballot, so that votes add up like the numbers that they stand for.
///
/// A number that takes in the right ballots is the right number, and one that does not shows which.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Votes(u16);

impl Votes {
    pub(crate) const NONE: Self = Self(0);

    /// Each of these ballots once.
    pub(crate) const fn once(ballots: Ballots) -> Self {
        Self(ballots.0)
    }

    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// How often a ballot is in it.
    pub(crate) const fn times(self, id: usize) -> u16 {
        self.0 >> (4 * id) & 0xf
    }

    /// The ballots that are in it.
    pub(crate) const fn ballots(self) -> Ballots {
        Ballots((self.0 | self.0 >> 1 | self.0 >> 2 | self.0 >> 3) & ONES)
    }

    /// The ballots that are in it more than once.
    pub(crate) const fn repeated(self) -> Ballots {
        Self(self.0 & !ONES).ballots()
    }

    /// Only those of these ballots.
    pub(crate) const fn of(self, ballots: Ballots) -> Self {
        Self(self.0 & (ballots.0 * 0xf))
    }

    /// Both together. Beyond fifteen times a ballot this model has lost its meaning.
    pub(crate) fn plus(self, other: Self) -> Self {
        let (one, other) = (u32::from(self.0), u32::from(other.0));
        let sum = one + other;
        let carried = (one ^ other ^ sum) & 0x1_1110;
        assert_eq!(carried, 0, "no ballot runs over into the next");
        Self(u16::try_from(sum).expect("nothing was carried"))
    }
}

impl fmt::Debug for Votes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for id in self.ballots().ids() {
            map.entry(&id, &self.times(id));
        }
        map.finish()
    }
}
