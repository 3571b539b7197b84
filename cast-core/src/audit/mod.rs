//! The audit: a recount of the log, compared with the store and the counter.
//!
//! The log is the truth. An audit folds it again, independently, and compares:
//!
//! 1. **The store with itself.** In one consistent snapshot, each total is the sum of the ballots, and each sum
//!    of totals that the store keeps is that.
//! 2. **The store with the log.** Each ballot before the store's progress is in the store as it is in the
//!    log, and the store has no other votes.
//! 3. **The counter with the log.** Each applied total is the fold of the log up to its offset, and no tally
//!    is higher than the votes in the log.
//!
//! It runs beside a live deployment and changes nothing: it reads the log in a consumer group of its own,
//! which commits nothing, and only reads the store and the counter. Votes that are cast meanwhile make no
//! difference: totals are compared as of the offsets that they come with, and a tally that is too high is
//! read again, after a pause, before it is reported.
//!
//! What an audit cannot find:
//!
//! - *Differences before the first record of the log*, where retention has deleted the beginning: there the
//!   store is compared with itself only.
//! - *Tallies that are too low.* The counter may have missed records or reconciliations; a tally is
//!   refreshed when it is shown or reconciled next. They are reported as a number, not as differences.
//! - *Candidates that only the counter has*: no port lists them.
//! - *The votes of rejected ballots*, and whether these had to be rejected.
//!
//! Memory: a few numbers for each candidate and partition, and about 32 bytes for each ballot of the log
//! that the store does not have, because it is missing or not folded yet. The store answers which ballots
//! are repeats, so ballots that are folded take no memory.
//!
//! | file | does |
//! |---|---|
//! | `run` | reads the log, the store and the counter |
//! | `fold` | folds what was read |
//! | `compare` | compares the fold with the store and the counter |
//! | `finding`, `report` | the result |

mod compare;
mod finding;
mod fold;
mod report;
mod run;

pub use finding::Finding;
pub use report::{AuditReport, AuditedPartition, CounterAudit};
pub use run::{Audit, AuditSettings};
