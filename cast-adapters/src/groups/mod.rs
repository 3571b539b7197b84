//! Consumer groups whose members are all in this process.

mod group;
mod partition;
mod span;
mod subscription;

pub(crate) use group::{Assignment, Group};
pub(crate) use partition::index_of;
pub(crate) use span::Span;
pub(crate) use subscription::{GroupSubscription, GroupedLog};
