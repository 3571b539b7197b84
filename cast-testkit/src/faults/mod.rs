//! Interceptors for tests: faults, counts, and calls that are held.
//!
//! [`Ports::intercepted`](cast_core::ports::Ports::intercepted) puts an
//! [`Interceptor`](cast_core::ports::Interceptor) around every call of four ports,
//! [`Intercepted`](cast_core::ports::Intercepted) around the calls of one:
//!
//! | interceptor | for |
//! |---|---|
//! | [`FaultPlan`] | faults by a script or by a seed: what happens × what the caller learns |
//! | [`Counts`] | how often each operation is called, and with how many items |
//! | [`Gate`] | holding calls until a test releases them: overload and crashes at a chosen moment |
//!
//! They can be stacked, and one interceptor can serve any number of ports.
//!
//! ```
//! # use std::sync::Arc;
//! # use cast_core::ports::{Intercepted, Operation, PortErrorKind, VoteStore};
//! use cast_testkit::{
//!     ManualClock,
//!     faults::{Fault, FaultPlan},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let store: Arc<dyn VoteStore> = Arc::new(cast_adapters::memory::MemoryStore::new());
//! let plan = FaultPlan::quiet(Arc::new(ManualClock::new()));
//! let store: Arc<dyn VoteStore> = Arc::new(Intercepted::new(store, plan.clone()));
//!
//! plan.next(Operation::Recount, Fault::Refused);
//! let refused = store.recount().await.expect_err("the plan refuses it");
//! assert_eq!(refused.kind(), PortErrorKind::Unavailable);
//! assert!(store.recount().await.is_ok(), "one fault, one call");
//! assert_eq!(plan.injected()[&(Operation::Recount, "refused")], 1);
//! # }
//! ```

mod counts;
mod fault;
mod gate;
mod odds;
mod plan;

pub use cast_core::ports::Operation;
pub use counts::Counts;
pub use fault::Fault;
pub(crate) use fault::HeldCall;
pub use gate::{Gate, Moment};
pub use odds::Odds;
pub use plan::FaultPlan;
