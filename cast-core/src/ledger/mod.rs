//! A ledger of what clients were answered, and the check that what is shown agrees with it:
//! *acknowledged implies counted*.
//!
//! A test tool writes down each ballot that a client sends, and each answer that it gets. In the end
//! the ledger is compared with what the system shows: its tallies ([`Ledger::check_tallies`]), or the
//! ballots that it counted ([`Ledger::check_ballots`]); and the answers with the limits of the tickets
//! ([`Ledger::check_tickets`]). The load generator, the tests of whole deployments and the simulator
//! all use it.
//!
//! Architecture invariant: this module imports nothing of its crate, only `std`. It shares no code with
//! what it checks, so that a mistake there has no twin here.
//!
//! ```
//! use cast_core::ledger::{Answer, Finding, Ledger};
//!
//! let mut ledger = Ledger::new();
//! let ballot = ledger.enter("ballot 1", [("alice", 2)]);
//! ledger.send(ballot, "ticket 1");
//! ledger.answer(ballot, "ticket 1", Answer::Accepted);
//!
//! assert_eq!(ledger.check_tallies([("alice", 2)]), []);
//! let missing = Finding::TallyTooLow { candidate: "alice", expected: 2..=2, shown: 1 };
//! assert_eq!(ledger.check_tallies([("alice", 1)]), [missing]);
//! ```

mod answer;
mod check;
mod record;
#[cfg(test)]
mod tests;

pub use self::{
    answer::{Answer, Expectation},
    check::{CountedBallot, Finding},
    record::{Entry, Ledger},
};
