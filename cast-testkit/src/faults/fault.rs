//! What can go wrong with one call of a port.

use std::{future::pending, pin::Pin, time::Duration};

use cast_core::ports::{Call, Operation, PortError, PortErrorKind, Reply};

/// A fault of one call: whether the operation happens, times what its caller learns.
///
/// The calls of a subscription have one reader and cannot overtake each other: for them
/// [`Twice`](Self::Twice) is [`None`](Self::None), and [`HeldBack`](Self::HeldBack) is
/// [`Lost`](Self::Lost).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It happens, and the caller gets the reply.
    None,
    /// It happens, and the caller gets an error: outcome unknown.
    DoneOutcomeUnknown,
    /// It happens, and the caller gets no reply.
    DoneNoReply,
    /// It does not happen, and the caller gets an error: unavailable.
    Refused,
    /// It does not happen, and the caller gets an error: outcome unknown.
    Lost,
    /// It does not happen, and the caller gets no reply.
    LostNoReply,
    /// It happens after some time, and the caller gets the reply.
    Delayed(Duration),
    /// It happens twice, and the caller gets the first reply.
    Twice,
    /// The caller gets an error, outcome unknown; the operation happens after a later call of the same
    /// operation, or when the plan [delivers](super::FaultPlan::deliver_held) it.
    HeldBack,
}

/// A call that is carried out later; dropping it means that it never happens.
pub(crate) type HeldCall = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Fault {
    /// Its name, in counts of the injected faults.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::DoneOutcomeUnknown => "done, outcome unknown",
            Self::DoneNoReply => "done, no reply",
            Self::Refused => "refused",
            Self::Lost => "lost, outcome unknown",
            Self::LostNoReply => "lost, no reply",
            Self::Delayed(_) => "delayed",
            Self::Twice => "twice",
            Self::HeldBack => "held back",
        }
    }

    /// Carries out a call with this fault; the delay of [`Delayed`](Self::Delayed) is the caller's to
    /// wait for. `hold` is given a call that is held back; `done` is awaited once the call has happened,
    /// before its caller gets anything.
    pub(crate) async fn carry_out<R: Reply>(
        self,
        call: Call<'_, R>,
        run: impl Future<Output = R> + Send,
        hold: impl FnOnce(HeldCall) + Send,
        done: impl Future<Output = ()> + Send,
    ) -> R {
        let error = |kind| {
            let operation = call.operation.name();
            PortError::new(kind, operation).because(format!("injected fault: {}", self.name()))
        };
        match self {
            Self::Refused => return call.failed(error(PortErrorKind::Unavailable)),
            Self::LostNoReply => return pending().await,
            Self::HeldBack => {
                if let Some(late) = call.repeat() {
                    hold(Box::pin(async move { drop(late.await) }));
                }
                return call.failed(error(PortErrorKind::OutcomeUnknown));
            }
            Self::Lost => return call.failed(error(PortErrorKind::OutcomeUnknown)),
            // The reader may drop this call after the batch was read, and the batch would be lost: so
            // nothing is awaited after it, and a batch that would not be returned is not read at all.
            _ if call.operation == Operation::Next => match self {
                Self::DoneOutcomeUnknown => {
                    return call.failed(error(PortErrorKind::OutcomeUnknown));
                }
                Self::DoneNoReply => return pending().await,
                _ => return run.await,
            },
            _ => {}
        }
        let reply = run.await;
        if self == Self::Twice
            && let Some(again) = call.repeat()
        {
            drop(again.await);
        }
        done.await;
        match self {
            Self::DoneOutcomeUnknown => call.failed(error(PortErrorKind::OutcomeUnknown)),
            Self::DoneNoReply => pending().await,
            _ => reply,
        }
    }
}
