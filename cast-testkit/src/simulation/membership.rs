//! Membership in a consumer group that can be revoked: what a log does to a member that it has not
//! heard of for the session time-out.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use cast_core::{
    domain::{LogBatch, Offset, Partition},
    ports::{Operation, PortError, Subscription},
};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The memberships of one process, which may have several in a row.
#[derive(Default)]
pub(super) struct Memberships {
    current: Mutex<Vec<Arc<Membership>>>,
    /// Whether the process was evicted and has not joined again yet.
    is_zombie: AtomicBool,
}

struct Membership {
    /// `None` while a call is under way, and after the eviction.
    subscription: Mutex<Option<Box<dyn Subscription>>>,
    is_evicted: AtomicBool,
    evicted: Notify,
}

impl Memberships {
    /// Makes a membership that can be revoked.
    pub(super) fn join(&self, subscription: Box<dyn Subscription>) -> EvictableSubscription {
        let membership = Arc::new(Membership {
            subscription: Mutex::new(Some(subscription)),
            is_evicted: AtomicBool::new(false),
            evicted: Notify::new(),
        });
        self.current.lock().push(Arc::clone(&membership));
        self.is_zombie.store(false, Ordering::Relaxed);
        EvictableSubscription { membership }
    }

    /// Evicts the process from its groups; returns whether it was a member of one.
    pub(super) fn evict(&self) -> bool {
        let current = std::mem::take(&mut *self.current.lock());
        let mut was_member = false;
        for membership in current {
            membership.is_evicted.store(true, Ordering::Relaxed);
            // While a call is under way there is none: the call is notified, and drops it.
            let subscription = membership.subscription.lock().take();
            was_member |= subscription.is_some() || Arc::strong_count(&membership) > 1;
            drop(subscription);
            membership.evicted.notify_waiters();
        }
        self.is_zombie.fetch_or(was_member, Ordering::Relaxed);
        was_member
    }

    pub(super) fn is_zombie(&self) -> bool {
        self.is_zombie.load(Ordering::Relaxed)
    }
}

impl Membership {
    fn is_evicted(&self) -> bool {
        self.is_evicted.load(Ordering::Relaxed)
    }
}

/// A subscription that may be evicted at any time.
pub(super) struct EvictableSubscription {
    membership: Arc<Membership>,
}

impl EvictableSubscription {
    fn borrow(&self, operation: Operation) -> Result<Borrowed<'_>, PortError> {
        let membership = &*self.membership;
        match membership.subscription.lock().take() {
            Some(subscription) => Ok(Borrowed {
                membership,
                subscription: Some(subscription),
            }),
            None => Err(evicted(operation)),
        }
    }
}

fn evicted(operation: Operation) -> PortError {
    PortError::unavailable(operation.name(), "this member was evicted from its group")
}

/// Holds the subscription during one call, and returns it to its membership even if the call is dropped.
struct Borrowed<'a> {
    membership: &'a Membership,
    subscription: Option<Box<dyn Subscription>>,
}

impl Borrowed<'_> {
    fn subscription(&mut self) -> &mut dyn Subscription {
        let subscription = self.subscription.as_mut();
        &mut **subscription.expect("only `close` takes it")
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if !self.membership.is_evicted() {
            *self.membership.subscription.lock() = self.subscription.take();
        }
    }
}

#[async_trait]
impl Subscription for EvictableSubscription {
    async fn next(&mut self) -> Result<LogBatch, PortError> {
        let mut borrowed = self.borrow(Operation::Next)?;
        let membership = borrowed.membership;
        tokio::select! {
            biased;
            () = membership.evicted.notified() => Err(evicted(Operation::Next)),
            batch = borrowed.subscription().next() => batch,
        }
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let mut borrowed = self.borrow(Operation::Seek)?;
        borrowed.subscription().seek(partition, next).await
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let mut borrowed = self.borrow(Operation::Commit)?;
        borrowed.subscription().commit(partition, next).await
    }

    async fn close(self: Box<Self>) -> Result<(), PortError> {
        let subscription = self.borrow(Operation::Close)?.subscription.take();
        match subscription {
            Some(subscription) => subscription.close().await,
            None => Ok(()),
        }
    }
}

impl Drop for EvictableSubscription {
    fn drop(&mut self) {
        // Leaves the group now, and not when the process drops its memberships.
        let subscription = self.membership.subscription.lock().take();
        drop(subscription);
    }
}
