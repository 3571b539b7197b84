//! The transfer: moves all votes of one store into another deployment, through its log.
//!
//! The counted ballots are published in the order in which they were counted, and the target folds them
//! as it folds every ballot. So nothing of the target needs to know of a transfer, and it may be ended at
//! any moment and run again: a ballot that is published twice counts once.
//!
//! 1. **Compare.** Whatever the target's log has must be a ballot of the origin: the target is empty, or an
//!    earlier transfer of the same origin was ended.
//! 2. **Name.** The target gives the origin's numbers to the candidates, before it folds any of them.
//! 3. **Publish** the ballots that were not acknowledged before.
//! 4. **Reject.** What the origin rejected is stored as rejected; it never goes through the log, where it
//!    might be counted.
//! 5. **Fold**, as a member of the target's consumers, up to the end of its log.
//! 6. **Verify.** The target has each ballot with the same contents and no other votes. Positions are
//!    not compared: the same ballot has another position in another log.
//!
//! The origin must be at rest: its log folded to the end, and no voter voting.

mod compare;
mod error;
mod fold;
mod origin;
mod publish;
mod run;
mod verify;

pub use error::TransferError;
pub use fold::fold_to_end;
pub use origin::{Destination, NumberedBallot, NumberedCandidate, NumberedRejection, Origin};
pub use run::{Stage, Transfer, TransferReport, TransferSettings};
