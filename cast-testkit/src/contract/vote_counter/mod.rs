//! The contract of [`VoteCounter`](cast_core::ports::VoteCounter), clause by clause.

pub use self::scenario::VoteCounterHarness;

mod read;
mod reconcile;
mod record;
mod scenario;

/// Expands to one `#[test]` for each clause of the contract of `VoteCounter`; takes the
/// function that opens a harness: `async fn() -> Result<H, Skipped>`, where `H` is a
/// [`VoteCounterHarness`](crate::contract::vote_counter::VoteCounterHarness).
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
            "the version is the sum, over the partitions, of the offset after the last record that is included."
                => record::the_version_sums_the_offsets_behind_the_last_records,
            "Votes recorded at a position are in the next reading, and add up over positions."
                => record::votes_add_up_over_positions,
            "Recording the same position again changes nothing."
                => record::recording_a_position_again_changes_nothing,
                => record::racing_recordings_count_each_position_once,
            "Votes at a position that an applied total already includes change nothing."
                => record::votes_that_are_reconciled_change_nothing,
            "The answers are readings of the candidates asked for, in their order, after the votes were recorded."
                => record::the_answers_are_readings_after_the_recording,
            "Pending votes of several records in one call, of one partition or of several, all count."
                => record::several_recordings_in_one_call_all_count,
            "The caller puts a deadline on every call and drops the future when it passes; the operation has then happened as a whole or not at all."
                => record::a_dropped_recording_happened_as_a_whole_or_not_at_all,
            "Reconciling an applied total replaces the votes recorded before its offset and keeps those at and after it."
                => reconcile::reconciling_replaces_what_is_before_and_leaves_the_rest,
            "An applied total that is not newer than the reconciled one changes nothing; the order of reconciliations does not matter."
                => reconcile::a_total_no_newer_changes_nothing,
                => reconcile::reconciling_in_any_order_ends_the_same,
            "Applied totals of different partitions are independent."
                => reconcile::totals_of_different_partitions_do_not_touch,
            "Reconciling an applied total that includes everything recorded leaves exactly its votes."
                => reconcile::reconciling_everything_leaves_exactly_its_votes,
            "An applied total of an unknown candidate is stored."
                => reconcile::a_total_for_an_unknown_candidate_is_stored,
            "Reconciling a candidate as a whole removes nothing: the votes of a partition that is not named stay as they are."
                => reconcile::reconciling_as_a_whole_takes_nothing_away,
            "Reading no candidates returns no readings; it shows that the counter answers."
                => read::reading_no_candidates_shows_whether_it_answers,
            "A candidate that was never reconciled as a whole is a miss: its age is none. The votes that are known are returned all the same."
                => read::what_was_never_reconciled_as_a_whole_is_a_miss,
            "A candidate that was reconciled as a whole is a hit, with the time since then as its age."
                => read::what_was_reconciled_as_a_whole_has_an_age,
            "Reconciling only some partitions does not reset the age."
                => read::reconciling_a_part_makes_no_candidate_younger,
            "A candidate that was evicted is a miss."
                => read::a_forgotten_candidate_is_a_miss,
            "Only a candidate without pending votes is evicted to save memory."
                => read::only_a_candidate_without_pending_votes_is_evicted,
            "The applied totals of a candidate are returned as they were reconciled: the newest of each partition, in the order of the partitions, without pending votes."
                => read::applied_totals_come_without_pending_votes,
        }
    };
}

crate::__vote_counter_clauses! { __clause_table (VoteCounterHarness) }
