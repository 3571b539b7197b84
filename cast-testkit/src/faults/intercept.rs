//! What stands between a caller and a port.

use std::{future::pending, pin::Pin, sync::Arc};

use async_trait::async_trait;
use cast_core::{
    Ports,
    ports::{PortError, PortErrorKind},
};

use super::{Fault, Operation};

/// A call of a port's operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which operation.
    pub operation: Operation,
    /// How much it is about: claims, ballots, candidates' votes, or simply one.
    pub items: usize,
}

/// A call that happens later, or never if it is dropped.
pub type Late = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Stands before the calls of a port.
#[async_trait]
pub trait Intercept: Send + Sync {
    /// Says what becomes of a call. The call waits meanwhile.
    async fn before(&self, call: Call) -> Fault;

    /// Learns that a call has happened. Its caller waits meanwhile.
    async fn after(&self, call: Call);

    /// Keeps a call that is [held back](Fault::HeldBack), for as long as it likes.
    fn hold(&self, call: Call, late: Late);
}

/// A port behind an [`Intercept`].
pub struct Intercepted<P: ?Sized> {
    pub(super) inner: Arc<P>,
    pub(super) by: Arc<dyn Intercept>,
}

impl<P: ?Sized> Intercepted<P> {
    /// Puts an interceptor before a port.
    pub fn new(inner: Arc<P>, by: Arc<dyn Intercept>) -> Self {
        Self { inner, by }
    }

    /// Calls the port, unless it is decided otherwise. `run` may be called twice, or later.
    pub(super) async fn call<T, F>(
        &self,
        operation: Operation,
        items: usize,
        run: impl Fn(Arc<P>) -> F + Send + Sync,
    ) -> Result<T, PortError>
    where
        T: Send,
        F: Future<Output = Result<T, PortError>> + Send + 'static,
    {
        let call = Call { operation, items };
        let run = || run(Arc::clone(&self.inner));
        let fault = self.by.before(call).await;
        if fault == Fault::HeldBack {
            let late = run();
            self.by.hold(call, Box::pin(async { drop(late.await) }));
        }
        unless_lost(fault, operation).await?;
        let answer = run().await;
        if fault == Fault::Twice {
            drop(run().await);
        }
        self.by.after(call).await;
        unless_untold(fault, operation).await?;
        answer
    }
}

/// Ends a call that is not to happen now.
pub(super) async fn unless_lost(fault: Fault, operation: Operation) -> Result<(), PortError> {
    let kind = match fault {
        Fault::Refused => PortErrorKind::Unavailable,
        Fault::Lost | Fault::HeldBack => PortErrorKind::OutcomeUnknown,
        Fault::LostInSilence => pending().await,
        _ => return Ok(()),
    };
    Err(injected(kind, operation, fault))
}

/// Ends a call that has happened and whose caller is not to know.
pub(super) async fn unless_untold(fault: Fault, operation: Operation) -> Result<(), PortError> {
    match fault {
        Fault::DoneButUntold => Err(injected(PortErrorKind::OutcomeUnknown, operation, fault)),
        Fault::DoneInSilence => pending().await,
        _ => Ok(()),
    }
}

fn injected(kind: PortErrorKind, operation: Operation, fault: Fault) -> PortError {
    PortError::new(kind, operation.name()).because(format!("an injected fault: {}", fault.name()))
}

/// All ports behind one interceptor; their clock and their entropy stay as they are.
pub fn intercept(ports: &Ports, by: &Arc<impl Intercept + 'static>) -> Ports {
    let by = || Arc::clone(by) as Arc<dyn Intercept>;
    Ports {
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
        tickets: Arc::new(Intercepted::new(Arc::clone(&ports.tickets), by())),
        bus: Arc::new(Intercepted::new(Arc::clone(&ports.bus), by())),
        counter: Arc::new(Intercepted::new(Arc::clone(&ports.counter), by())),
        store: Arc::new(Intercepted::new(Arc::clone(&ports.store), by())),
    }
}
