//! The contract of [`VoteCounter`](cast_core::ports::VoteCounter), clause by clause.

pub use self::scenario::VoteCounterHarness;
use super::IntoHarness;

mod read;
mod reconcile;
mod record;
mod scenario;

/// Proves one clause by name. [`vote_counter_contract!`](crate::vote_counter_contract) calls it for each.
pub fn prove<M>(clause: &str, make: impl AsyncFnOnce() -> M)
where
    M: IntoHarness<Harness: VoteCounterHarness + 'static>,
{
    let make = async || {
        let harness = make().await.into_harness()?;
        Ok(Box::new(harness) as Box<dyn VoteCounterHarness>)
    };
    super::prove(super::find(CLAUSES, clause), make);
}

/// Expands to one `#[test]` for each clause of the contract of `VoteCounter`; takes the
/// function that opens a harness: `async fn() -> H` or `async fn() -> Result<H, Skipped>`, where `H` is
/// a [`VoteCounterHarness`](crate::contract::vote_counter::VoteCounterHarness).
#[macro_export]
macro_rules! vote_counter_contract {
    ($make:expr) => {
        $crate::__vote_counter_clauses! { __clause_tests (vote_counter, $make) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __vote_counter_clauses {
    ($callback:ident $arguments:tt) => {
        $crate::$callback! { $arguments
            "the version is the sum, over the partitions, of the offset behind the last record taken in."
                => record::the_version_sums_the_offsets_behind_the_last_records,
            "Votes recorded at a position show in the next reading, and add up over positions."
                => record::votes_add_up_over_positions,
            "Recording the same position again changes nothing."
                => record::recording_a_position_again_changes_nothing,
            "Recording the same position again changes nothing."
                => record::racing_recordings_count_each_position_once,
            "Votes at a position that a applied total already takes in change nothing."
                => record::votes_that_are_reconciled_change_nothing,
            "The answers are readings of the candidates asked for, in their order, after the recording."
                => record::the_answers_are_readings_after_the_recording,
            "Several tails in one call, of one partition or of several, all count."
                => record::several_tails_in_one_call_all_count,
            "The caller puts a deadline on every call and drops the future when it passes; what it asked for has then happened as a whole or not at all."
                => record::a_dropped_recording_happened_as_a_whole_or_not_at_all,
            "Reconciling a prefix replaces the votes before its offset and leaves those at and behind it."
                => reconcile::reconciling_replaces_what_is_before_and_leaves_the_rest,
            "A prefix no newer than what is reconciled changes nothing; reconciling in any order ends the same."
                => reconcile::a_prefix_no_newer_changes_nothing,
            "A prefix no newer than what is reconciled changes nothing; reconciling in any order ends the same."
                => reconcile::reconciling_in_any_order_ends_the_same,
            "Applied totals of different partitions do not touch each other."
                => reconcile::prefixes_of_different_partitions_do_not_touch,
            "Reconciling a prefix that takes in everything recorded leaves exactly its votes."
                => reconcile::reconciling_everything_leaves_exactly_its_votes,
            "A prefix for a candidate not seen before is kept."
                => reconcile::a_prefix_for_a_stranger_is_kept,
            "Reconciling a candidate as a whole takes nothing away: what is reconciled or recorded of a partition that is not named stays as it is."
                => reconcile::reconciling_as_a_whole_takes_nothing_away,
            "No candidates, no readings: the answer says that the counter answers."
                => read::reading_nobody_tells_whether_it_answers,
            "A candidate that was never reconciled as a whole is a miss: its age is none. What is known is shown all the same."
                => read::what_was_never_reconciled_as_a_whole_is_a_miss,
            "A candidate that was reconciled as a whole is a hit, with the time since then as its age."
                => read::what_was_reconciled_as_a_whole_has_an_age,
            "Reconciling part of it does not make it younger."
                => read::reconciling_part_makes_nobody_younger,
            "A candidate that was forgotten is a miss."
                => read::a_forgotten_candidate_is_a_miss,
            "Only what has no tail is forgotten to save memory."
                => read::only_what_has_no_tail_is_forgotten_to_save_memory,
            "What is reconciled of each candidate is told as it was, the newest prefix of each partition, in their order and without any tail."
                => read::what_is_reconciled_is_told_without_the_tail,
        }
    };
}

crate::__vote_counter_clauses! { __clause_table (VoteCounterHarness) }
