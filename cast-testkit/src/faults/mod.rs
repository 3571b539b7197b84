//! Ports that misbehave on demand, are counted, or are held.
//!
//! [`intercept`] puts an [`Intercept`] before every call of some [`Ports`](cast_core::Ports):
//!
//! | interceptor | for |
//! |---|---|
//! | [`FaultPlan`] | faults by a script or by a seed: what happened × what the caller was told |
//! | [`Counts`] | how often each operation is called, and with how much |
//! | [`Gate`] | holding an operation until it is let go: overload and crashes without luck |
//!
//! They can be stacked, and one interceptor can serve any number of ports.
//!
//! ```
//! # use std::sync::Arc;
//! # use cast_core::ports::{PortErrorKind, VoteStore};
//! use cast_testkit::{
//!     ManualClock,
//!     faults::{Fault, FaultPlan, Intercepted, Operation},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let store: Arc<dyn VoteStore> = Arc::new(cast_adapters::memory::MemoryStore::new());
//! let plan = FaultPlan::quiet(Arc::new(ManualClock::new()));
//! let store: Arc<dyn VoteStore> = Arc::new(Intercepted::new(store, plan.clone()));
//!
//! plan.next(Operation::Recount, Fault::Refused);
//! let refused = store.recount().await.expect_err("the plan says so");
//! assert_eq!(refused.kind(), PortErrorKind::Unavailable);
//! assert!(store.recount().await.is_ok(), "one fault, one call");
//! assert_eq!(plan.fired()[&(Operation::Recount, "refused")], 1);
//! # }
//! ```

mod counts;
mod gate;
mod intercept;
mod odds;
mod operation;
mod plan;
mod ports;

pub use counts::Counts;
pub use gate::{Gate, Moment};
pub use intercept::{Call, Intercept, Intercepted, Late, intercept};
pub use odds::Odds;
pub use operation::Operation;
pub use plan::{Fault, FaultPlan};
