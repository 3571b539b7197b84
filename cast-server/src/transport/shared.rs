//! What all connections of a server share.

use std::sync::Arc;

use cast_core::domain::{Clock, Entropy};

use super::{drain::Drain, handler::ConnectionEvents, settings::HttpSettings};

/// One for a server, behind an `Arc` that each connection holds.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) settings: HttpSettings,
    pub(super) events: ConnectionEvents,
    pub(super) drain: Drain,
}
