//! A member's place in a group, from which it can be thrown out: what a log does to a member that it
//! has not heard of for a while.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use cast_core::{
    domain::{LogBatch, Offset, Partition},
    ports::{PortError, Subscription},
};
use tokio::sync::Notify;

/// The places of one process, which may hold several in a row.
#[derive(Default)]
pub(super) struct Seats {
    taken: Mutex<Vec<Arc<Seat>>>,
    /// Whether it was thrown out and has not come back yet.
    is_zombie: AtomicBool,
}

struct Seat {
    /// `None` while a call is under way, and when it was thrown out.
    member: Mutex<Option<Box<dyn Subscription>>>,
    is_evicted: AtomicBool,
    evicted: Notify,
}

impl Seats {
    pub(super) fn seat(&self, member: Box<dyn Subscription>) -> Seated {
        let seat = Arc::new(Seat {
            member: Mutex::new(Some(member)),
            is_evicted: AtomicBool::new(false),
            evicted: Notify::new(),
        });
        self.taken().push(Arc::clone(&seat));
        self.is_zombie.store(false, Ordering::Relaxed);
        Seated { seat }
    }

    /// Throws the process out of its groups; returns whether it was in one.
    pub(super) fn evict(&self) -> bool {
        let taken = std::mem::take(&mut *self.taken());
        let mut was_member = false;
        for seat in taken {
            seat.is_evicted.store(true, Ordering::Relaxed);
            // Without a member a call is under way, which is told and then drops it.
            let member = seat.member().take();
            was_member |= member.is_some() || Arc::strong_count(&seat) > 1;
            drop(member);
            seat.evicted.notify_waiters();
        }
        self.is_zombie.fetch_or(was_member, Ordering::Relaxed);
        was_member
    }

    pub(super) fn is_zombie(&self) -> bool {
        self.is_zombie.load(Ordering::Relaxed)
    }

    fn taken(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    fn member(&self) -> MutexGuard<'_, Option<Box<dyn Subscription>>> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_evicted(&self) -> bool {
        self.is_evicted.load(Ordering::Relaxed)
    }
}

/// A subscription that may end any time.
pub(super) struct Seated {
    seat: Arc<Seat>,
}

impl Seated {
    fn borrow(&self, operation: &'static str) -> Result<Borrowed<'_>, PortError> {
        let member = self.seat.member().take();
        let seat = &*self.seat;
        match member {
            Some(member) => Ok(Borrowed {
                seat,
                member: Some(member),
            }),
            None => Err(thrown_out(operation)),
        }
    }
}

fn thrown_out(operation: &'static str) -> PortError {
    PortError::unavailable(operation, "this member was thrown out of its group")
}

/// Has the member for the time of one call, and puts it back, even if the call is dropped.
struct Borrowed<'a> {
    seat: &'a Seat,
    member: Option<Box<dyn Subscription>>,
}

impl Borrowed<'_> {
    fn member(&mut self) -> &mut dyn Subscription {
        &mut **self.member.as_mut().expect("it is there until the end")
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if !self.seat.is_evicted() {
            *self.seat.member() = self.member.take();
        }
    }
}

#[async_trait]
impl Subscription for Seated {
    async fn next(&mut self) -> Result<LogBatch, PortError> {
        let operation = "reading the log";
        let mut borrowed = self.borrow(operation)?;
        let seat = borrowed.seat;
        tokio::select! {
            biased;
            () = seat.evicted.notified() => Err(thrown_out(operation)),
            batch = borrowed.member().next() => batch,
        }
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let mut borrowed = self.borrow("seeking in the log")?;
        borrowed.member().seek(partition, next).await
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let mut borrowed = self.borrow("committing to the log")?;
        borrowed.member().commit(partition, next).await
    }

    async fn close(self: Box<Self>) -> Result<(), PortError> {
        let member = self.borrow("leaving the group")?.member.take();
        match member {
            Some(member) => member.close().await,
            None => Ok(()),
        }
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        // Leaves the group now, and not when the last of its process does.
        let member = self.seat.member().take();
        drop(member);
    }
}
