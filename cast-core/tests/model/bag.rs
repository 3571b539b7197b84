//! Things of one kind that are in flight, in no order.

use std::fmt;

/// A few things without names or order. Two states that differ only in who holds what are one state:
/// that is all the symmetry that this model has, and here it costs nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bag<T, const N: usize> {
    /// Sorted; `None` comes first.
    items: [Option<T>; N],
}

impl<T: Copy + Ord, const N: usize> Bag<T, N> {
    pub(crate) const EMPTY: Self = Self { items: [None; N] };

    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = T> {
        self.items.iter().copied().flatten()
    }

    /// Each thing once, however many are alike.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = T> {
        let alike = |at: &usize| *at > 0 && self.items[*at] == self.items[*at - 1];
        (0..N)
            .filter(move |at| !alike(at))
            .filter_map(|at| self.items[at])
    }

    /// Those of which `is_one` holds.
    pub(crate) fn only(&self, is_one: impl Fn(&T) -> bool) -> Self {
        let mut items = self.items.map(|item| item.filter(&is_one));
        items.sort_unstable();
        Self { items }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items[N - 1].is_none()
    }

    pub(crate) fn add(&mut self, item: T) {
        assert!(self.items[0].is_none(), "a bag has room for all of a scope");
        self.items[0] = Some(item);
        self.items.sort_unstable();
    }

    pub(crate) fn remove(&mut self, item: T) {
        let at = self.items.iter().position(|held| *held == Some(item));
        self.items[at.expect("only what is there is removed")] = None;
        self.items.sort_unstable();
    }

    pub(crate) fn replace(&mut self, old: T, new: T) {
        self.remove(old);
        self.add(new);
    }
}

impl<T: Copy + Ord + fmt::Debug, const N: usize> fmt::Debug for Bag<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
