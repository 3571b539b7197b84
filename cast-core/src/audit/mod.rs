//! Auditing: does everything say what the log says?
//!
//! The log is the truth. An audit folds it again, by itself, and compares:
//!
//! 1. **The store with itself.** In one consistent view, each total is what the ballots add up to.
//! 2. **The store with the log.** Each ballot before the store's progress is there, as the log has
//!    it, and the ballots that are there give no other votes than those.
//! 3. **The counter with the log.** Each applied total is the fold of the log up to where it says
//!    that it is true; and what is shown is no more than the log has.
//!
//! It works beside a running deployment and changes nothing: it reads the log as a group of its own
//! that commits nothing, and only reads the store and the counter. What moves while it looks is no
//! difference: store and prefixes are compared as of the offsets that they come with, and a tally
//! that is too high is read again, a while later, before it is reported.
//!
//! What it cannot see:
//!
//! - *What is before the log's first record*, where retention has dropped the beginning: there the
//!   store is only compared with itself.
//! - *A tail that is too low.* A counter may have missed records, reconciliations or everything: a tally
//!   heals when it is shown or reconciled next. Such tallies are told as a number, not as a difference.
//! - *Candidates of the counter whom neither the log nor the store knows*: nobody can list them.
//! - *What a rejected ballot would have counted*, and whether it had to be rejected.
//!
//! It keeps a few numbers for each candidate and partition, and the id of each ballot that the log
//! has and the store does not: some 32 bytes for each ballot that the consumers have yet to fold, or
//! that is missing. Whether another one came before, the store is asked: so ten million ballots that
//! are folded take no memory at all.

mod fold;
mod reader;
mod report;
mod run;

pub use report::{AuditReport, AuditedPartition, CounterAudit, Finding};
pub use run::{Audit, AuditSettings};
