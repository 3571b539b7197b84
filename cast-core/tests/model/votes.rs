//! Ballots and votes, in words that a state can hold by the million.

use std::fmt;

/// How many ballots a scope may have.
pub(crate) const BALLOTS: usize = 4;

/// A set of ballots, by their ids.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ballots(u8);

impl Ballots {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn of<const N: usize>(ids: [usize; N]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < N {
            assert!(ids[i] < BALLOTS, "a ballot of this model");
            bits |= 1 << ids[i];
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
        self.0 & (1 << id) != 0
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
        self.ids()
            .take(count)
            .fold(Self::NONE, |first, id| first.and(Self::one(id)))
    }

    pub(crate) fn ids(self) -> impl Iterator<Item = usize> {
        (0..BALLOTS).filter(move |id| self.has(*id))
    }

    /// All the sets with some, but not too many, of these.
    pub(crate) fn choices(self, at_most: usize) -> impl Iterator<Item = Self> {
        (1..1 << BALLOTS)
            .map(Self)
            .filter(move |some| some.without(self).is_empty() && some.len() <= at_most)
    }
}

impl fmt::Debug for Ballots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.ids()).finish()
    }
}

/// Votes, told apart by the ballots that they come from: how often each is in a number. Four bits a
/// ballot, so that votes add up like the numbers that they stand for.
///
/// A number that takes in the right ballots is the right number, and one that does not shows which.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Votes(u16);

impl Votes {
    pub(crate) const NONE: Self = Self(0);

    /// Each of these ballots once.
    pub(crate) fn once(ballots: Ballots) -> Self {
        Self(ballots.ids().fold(0, |votes, id| votes | 1 << (4 * id)))
    }

    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// How often a ballot is in it.
    pub(crate) fn times(self, id: usize) -> u16 {
        self.0 >> (4 * id) & 0xf
    }

    /// The ballots that are in it.
    pub(crate) fn ballots(self) -> Ballots {
        (0..BALLOTS)
            .filter(|id| self.times(*id) > 0)
            .fold(Ballots::NONE, |all, id| all.and(Ballots::one(id)))
    }

    /// Only those of these ballots.
    pub(crate) fn of(self, ballots: Ballots) -> Self {
        let mask = Self::once(ballots).0;
        Self(self.0 & (mask | mask << 1 | mask << 2 | mask << 3))
    }

    /// Both together. Beyond fifteen times a ballot this model has lost its meaning.
    pub(crate) fn plus(self, other: Self) -> Self {
        for id in 0..BALLOTS {
            assert!(self.times(id) + other.times(id) < 16, "votes fit");
        }
        Self(self.0 + other.0)
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
