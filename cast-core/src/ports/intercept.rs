//! One interceptor over all ports: what happens around each of their calls.

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;

use super::{error::PortError, event_bus::Subscription, operation::Operation};
use crate::domain::{LogBatch, Offset, Partition};

/// Code around every call of a port: metrics, faults, gates, failpoints.
///
/// [`Ports::intercepted`](super::Ports::intercepted) puts one around all four ports;
/// [`Intercepted::new`] around a single one. Interceptors can be stacked: the one added last is called
/// first.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
///
/// use cast_core::ports::{Call, Intercepted, Interceptor, Operation, PortError, Reply, VoteStore};
///
/// /// Counts the calls that failed, and refuses one operation.
/// struct Failures {
///     count: AtomicU64,
///     refused: Operation,
/// }
///
/// impl Interceptor for Failures {
///     async fn around<R: Reply>(
///         &self,
///         call: Call<'_, R>,
///         run: impl Future<Output = R> + Send,
///     ) -> R {
///         let reply = if call.operation == self.refused {
///             call.failed(PortError::unavailable(call.operation.name(), "refused by a test"))
///         } else {
///             run.await
///         };
///         if reply.error().is_some() {
///             self.count.fetch_add(1, Ordering::Relaxed);
///         }
///         reply
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let store = Arc::new(cast_adapters::memory::MemoryStore::new());
/// let failures = Arc::new(Failures { count: AtomicU64::new(0), refused: Operation::Recount });
/// let store: Arc<dyn VoteStore> = Arc::new(Intercepted::new(store as Arc<dyn VoteStore>, Arc::clone(&failures)));
/// assert!(store.recount().await.is_err());
/// assert!(store.leaders(10).await.is_ok());
/// assert_eq!(failures.count.load(Ordering::Relaxed), 1);
/// # }
/// ```
///
/// # What an interceptor must know
///
/// - `run` is the call of the port. It does nothing until it is awaited; an interceptor that drops it
///   has kept the call from happening.
/// - The caller drops the whole future at its deadline, and then whatever `around` has not done yet
///   does not happen. Code that must run at the end all the same belongs into a `Drop`.
/// - The reader of the log drops [`Operation::Next`] whenever it has something else to do. A batch that
///   `run` has returned by then would be lost, so nothing may be awaited after `run` in this operation.
pub trait Interceptor: Send + Sync + 'static {
    /// Carries out one call, or does something else in its place; returns what the caller gets.
    fn around<R: Reply>(
        &self,
        call: Call<'_, R>,
        run: impl Future<Output = R> + Send,
    ) -> impl Future<Output = R> + Send;
}

/// A future that a call of a port is, independent of its caller.
pub type DetachedCall<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// One call of a port, as an [`Interceptor`] sees it.
pub struct Call<'a, R> {
    /// The operation that is called.
    pub operation: Operation,
    /// How much it is about: claims to redeem, ballots to publish or apply, votes to record,
    /// candidates to read or reconcile, ids to look up. 1 for an operation without a list.
    pub items: usize,
    /// How many results the reply has: the records of a publish, otherwise 1.
    pub(super) results: usize,
    /// Makes the same call once more, from a copy of its arguments.
    pub(super) repeat: Option<&'a (dyn Fn() -> DetachedCall<R> + Sync)>,
}

impl<R: Reply> Call<'_, R> {
    /// A reply that says that the call failed.
    pub fn failed(&self, error: PortError) -> R {
        R::failed(error, self.results)
    }

    /// The same call once more, with its own copy of the arguments: to be awaited beside `run` (the call
    /// happens twice) or later (it happens after others that were called later). Costs nothing where it
    /// is not used.
    ///
    /// `None` for the calls of a subscription: it has one reader, whose calls cannot overtake each
    /// other.
    pub fn repeat(&self) -> Option<DetachedCall<R>> {
        self.repeat.map(|repeat| repeat())
    }
}

/// What an operation of a port returns: a result, or one result for each record that was published.
pub trait Reply: Send + Sized + 'static {
    /// The first error in it; `None` if all went well.
    fn error(&self) -> Option<&PortError>;

    /// `results` times the same error.
    fn failed(error: PortError, results: usize) -> Self;
}

impl<T: Send + 'static> Reply for Result<T, PortError> {
    fn error(&self) -> Option<&PortError> {
        self.as_ref().err()
    }

    fn failed(error: PortError, _: usize) -> Self {
        Err(error)
    }
}

impl<T: Send + 'static> Reply for Vec<Result<T, PortError>> {
    fn error(&self) -> Option<&PortError> {
        self.iter().find_map(|result| result.as_ref().err())
    }

    fn failed(error: PortError, results: usize) -> Self {
        (0..results).map(|_| Err(error.copied())).collect()
    }
}

/// A port with an [`Interceptor`] around each of its calls. It implements the port's trait, as
/// `Intercepted<dyn VoteStore, I>` is a [`VoteStore`](super::VoteStore).
pub struct Intercepted<P: ?Sized, I> {
    pub(super) port: Arc<P>,
    pub(super) interceptor: Arc<I>,
}

impl<P: ?Sized, I> Intercepted<P, I> {
    /// Puts `interceptor` around the calls of `port`.
    pub fn new(port: Arc<P>, interceptor: Arc<I>) -> Self {
        Self { port, interceptor }
    }
}

/// The subscription of an intercepted log: its calls go through the same interceptor.
pub(super) struct InterceptedSubscription<I> {
    pub(super) subscription: Box<dyn Subscription>,
    pub(super) interceptor: Arc<I>,
}

const fn once<R>(operation: Operation) -> Call<'static, R> {
    Call {
        operation,
        items: 1,
        results: 1,
        repeat: None,
    }
}

#[async_trait]
impl<I: Interceptor> Subscription for InterceptedSubscription<I> {
    async fn next(&mut self) -> Result<LogBatch, PortError> {
        let run = self.subscription.next();
        self.interceptor.around(once(Operation::Next), run).await
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let run = self.subscription.seek(partition, next);
        self.interceptor.around(once(Operation::Seek), run).await
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let run = self.subscription.commit(partition, next);
        self.interceptor.around(once(Operation::Commit), run).await
    }

    async fn close(self: Box<Self>) -> Result<(), PortError> {
        let run = self.subscription.close();
        self.interceptor.around(once(Operation::Close), run).await
    }
}
