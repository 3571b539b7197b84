//! Stores that are broken on purpose: each clause of the contract is seen to fail.

mod adapter;
mod how;
mod steps;

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{LogPosition, LoggedBallot},
    ports::VoteStore,
};
use cast_testkit::{
    contract::{Harness, Skipped, vote_store::VoteStoreHarness},
    fixtures::Fixtures,
};

use self::{
    adapter::{Broken, behind},
    how::How,
};

crate::caught::caught! { vote_store, broken:
    a_step_at_the_progress_is_applied => ForgettingTheEnd | ForgettingOtherHandles,
    a_step_that_starts_elsewhere_is_fenced => FencingNothing | FencingOnlyOlder,
    of_racing_steps_with_the_same_start_one_is_applied => LookingBeforeFencing,
    a_ballot_id_counts_once_within_a_step => CountingCopiesInAStep | TakingTheLastCopy,
    a_ballot_id_counts_once_over_steps => CountingCopiesOverSteps,
    a_ballot_id_counts_once_over_partitions => CountingCopiesOverPartitions,
    a_ballot_id_counts_once_when_partitions_race => LookingBeforeCounting,
    a_step_is_applied_as_a_whole_or_not_at_all => ApplyingInPieces,
    a_dropped_step_is_applied_as_a_whole_or_not_at_all => ApplyingInPieces,
    rejections_count_nothing => CountingTheRejected,
    rejections_are_kept => DroppingBrokenRecords,
    any_rejection_can_be_held => RefusingNul | RefusingLongReasons,
    partitions_move_independently => FoldingIntoOnePartition,
    the_answer_holds_the_new_totals_of_that_partition => AnsweringWithAllTotals | AnsweringWithGains,
    an_empty_step_moves_the_progress => SkippingEmptySteps,
    a_step_that_cannot_be_held_is_corrupt_and_changes_nothing => CallingTheCorruptUnavailable,
    a_dry_run_changes_nothing => DryRunningForReal,
    a_dry_run_fails_exactly_where_applying_would => DryRunningNothing | DryRunningWithoutTheFence,
    a_partition_never_folded_is_at_the_start => KnowingOneProgress,
    progress_tells_the_last_ballot_that_was_taken_in => ForgettingTheLastBallot | TellingTheFirstBallot | ForgettingItInEmptySteps,
    totals_are_as_of_the_progress => TellingWhenVotesWereLast | LeavingOutPartitions,
    readers_see_one_consistent_view => ReadingOneByOne,
    an_unknown_candidate_has_totals_of_no_votes => KnowingNoStrangers,
    leaders_come_by_votes_and_then_by_name => LeadingWithTooMany | LeadingByVotesAlone | LeadingByName,
    the_fate_of_a_ballot_is_that_of_its_first_position => TellingTheLastPosition | ForgettingRejections,
    a_ballot_both_counted_and_rejected_was_counted => TellingOfRejectionsFirst,
    recounting_gives_the_totals => RecountingTheLog | RecountingTheTotals,
    a_recount_is_one_consistent_view => RecountingInTwoLooks,
    what_is_kept_of_a_ballot_is_what_the_log_has => KeepingIdsOnly | KeepingTheLastCopy | AnsweringForTheKnownOnly,
}

struct BrokenHarness {
    good: crate::memory::Store,
    store: Arc<Broken>,
}

fn broken(how: How) -> BrokenHarness {
    let good = crate::memory::store();
    let store = behind(how, Arc::clone(&good.store));
    BrokenHarness { good, store }
}

#[async_trait]
impl Harness for BrokenHarness {
    async fn close(&self) {
        self.good.close().await;
    }
}

#[async_trait]
impl VoteStoreHarness for BrokenHarness {
    async fn open(&self) -> Arc<dyn VoteStore> {
        match self.store.how {
            How::ForgettingOtherHandles => behind(How::Sound, Arc::default()),
            _ => Arc::clone(&self.store) as _,
        }
    }

    async fn unholdable(&self, fixtures: &Fixtures) -> Result<LoggedBallot, Skipped> {
        self.good.unholdable(fixtures).await
    }

    async fn rejections(&self) -> Result<Vec<LogPosition>, Skipped> {
        self.good.rejections().await
    }
}
