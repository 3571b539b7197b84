//! The contract of [`VoteStore`](cast_core::ports::VoteStore), clause by clause.

pub use self::scenario::VoteStoreHarness;

mod apply;
mod audit;
mod dedup;
mod dry_run;
mod read;
mod scenario;
mod whole;

/// Expands to one `#[test]` for each clause of the contract of `VoteStore`; takes the
/// function that opens a harness: `async fn() -> Result<H, Skipped>`, where `H` is a
/// [`VoteStoreHarness`](crate::contract::vote_store::VoteStoreHarness).
#[macro_export]
macro_rules! vote_store_contract {
    ($make:expr) => {
        $crate::__vote_store_clauses! { __clause_tests (vote_store, $make) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __vote_store_clauses {
    ($callback:ident $arguments:tt) => {
        $crate::$callback! { $arguments
            "A step that starts at the progress of its partition is applied and moves the progress to its end."
                => apply::a_step_at_the_progress_is_applied,
            "A step that starts elsewhere is fenced: it changes nothing, and the answer has the progress."
                => apply::a_step_that_starts_elsewhere_is_fenced,
            "Of two concurrent steps with the same start, one is applied and the other is fenced."
                => apply::of_racing_steps_with_the_same_start_one_is_applied,
            "A ballot id counts once: within a step, over steps, and over partitions. The first copy in the log counts, whatever the others contain."
                => dedup::a_ballot_id_counts_once_within_a_step,
                => dedup::a_ballot_id_counts_once_over_steps,
                => dedup::a_ballot_id_counts_once_over_partitions,
                => dedup::a_ballot_id_counts_once_when_partitions_race,
            "A step is applied as a whole or not at all."
                => whole::a_step_is_applied_as_a_whole_or_not_at_all,
            "The caller puts a deadline on every call and drops the future when it passes; the operation has then happened as a whole or not at all."
                => whole::a_dropped_step_is_applied_as_a_whole_or_not_at_all,
            "Rejections are stored and count nothing."
                => apply::rejections_count_nothing,
                => apply::rejections_are_kept,
            "Every rejection can be stored, whatever its reason contains and however long it is: a rejection cannot be rejected."
                => apply::any_rejection_can_be_held,
            "Partitions progress independently."
                => apply::partitions_move_independently,
            "The answer has the new total, in that partition, of each candidate that the step has votes for."
                => apply::the_answer_holds_the_new_totals_of_that_partition,
            "An empty step moves the progress."
                => apply::an_empty_step_moves_the_progress,
            "A step that the store cannot hold (a total beyond its range, a text that it refuses) fails as corrupt and changes nothing."
                => whole::a_step_that_cannot_be_held_is_corrupt_and_changes_nothing,
            "A dry run changes nothing."
                => dry_run::a_dry_run_changes_nothing,
            "It fails as Corrupt exactly where applying the step would."
                => dry_run::a_dry_run_fails_exactly_where_applying_would,
            "A partition that was never folded has its progress at the start."
                => read::a_partition_never_folded_is_at_the_start,
            "Progress has the last ballot of the last step that had ballots, counted or not, with the offset of its record."
                => read::progress_tells_the_last_ballot_that_was_taken_in,
            "A candidate's applied totals are as of the progress of their partitions, in one consistent snapshot."
                => read::totals_are_as_of_the_progress,
                => whole::readers_see_one_consistent_view,
            "A candidate without votes has applied totals of no votes."
                => read::an_unknown_candidate_has_totals_of_no_votes,
            "Leaders are ordered by votes, most first, then by name; there are no more than asked for."
                => read::leaders_come_by_votes_and_then_by_name,
            "The fate of a ballot is counted, rejected, or unknown; its position is that of the first copy in the log."
                => read::the_fate_of_a_ballot_is_that_of_its_first_position,
            "A ballot that was both counted and rejected was counted."
                => read::a_ballot_both_counted_and_rejected_was_counted,
            "A recount of the ballots gives the totals."
                => audit::recounting_gives_the_totals,
            "A recount is one consistent snapshot of ballots, totals and progress while consumers keep folding."
                => audit::a_recount_is_one_consistent_view,
            "A stored ballot is what the log has at its position; there is one answer for each id, in the order of the ids."
                => audit::what_is_kept_of_a_ballot_is_what_the_log_has,
        }
    };
}

crate::__vote_store_clauses! { __clause_table (VoteStoreHarness) }
