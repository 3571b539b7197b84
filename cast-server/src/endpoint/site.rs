//! What the paths lead to, as far as it is there yet.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{graphql::GraphqlEndpoint, health::Readiness};

/// What the paths lead to. A process listens before it can do its job: whoever probes it is told
/// that it lives, and what it waits for.
pub(crate) struct Site<E> {
    opened: OnceLock<Opened<E>>,
    waiting: Waiting,
    /// Whether there is, or will be, an endpoint for GraphQL.
    pub(crate) has_graphql: bool,
}

/// What is there once the process can begin its job.
pub(crate) struct Opened<E> {
    /// None in a role without one.
    pub(crate) graphql: Option<GraphqlEndpoint<E>>,
    /// What `/readyz` asks; an endpoint without a CAST behind it is always ready.
    pub(crate) readiness: Option<Readiness>,
}

impl<E> Site<E> {
    pub(crate) fn new(has_graphql: bool, waiting: Waiting) -> Self {
        Self {
            opened: OnceLock::new(),
            waiting,
            has_graphql,
        }
    }

    /// What is there, if anything is.
    pub(crate) fn opened(&self) -> Option<&Opened<E>> {
        self.opened.get()
    }

    /// From now on, this is there. Only the first call counts.
    pub(crate) fn open(&self, opened: Opened<E>) {
        let _ = self.opened.set(opened);
    }

    /// What the process waits for.
    pub(crate) fn waits_for(&self) -> String {
        self.waiting.get()
    }
}

/// What a process that has not begun its job waits for, in a few words. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<Mutex<String>>);

impl Waiting {
    /// Says what for; whether that is news.
    pub fn set(&self, what: &str) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *waiting != what;
        if is_news {
            what.clone_into(&mut waiting);
        }
        is_news
    }

    fn get(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
