//! The contract of [`EventBus`](cast_core::ports::EventBus), clause by clause.

pub use self::scenario::EventBusHarness;

mod group;
mod lag;
mod members;
mod publish;
mod resume;
mod scenario;
mod subscribe;

/// Expands to one `#[test]` for each clause of the contract of `EventBus`; takes the
/// function that opens a harness: `async fn() -> Result<H, Skipped>`, where `H` is a
/// [`EventBusHarness`](crate::contract::event_bus::EventBusHarness).
#[macro_export]
macro_rules! event_bus_contract {
    ($make:expr) => {
        $crate::__event_bus_clauses! { __clause_tests (event_bus, $make) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __event_bus_clauses {
    ($callback:ident $arguments:tt) => {
        $crate::$callback! { $arguments
            "There is one result for each record, in the order of the records; the failure of one is not the failure of another."
                => publish::there_is_one_result_for_each_record_in_order,
                => publish::the_failure_of_one_record_is_not_anothers,
            "An acknowledged record is in the log at the returned position and stays there."
                => publish::an_acknowledged_record_stays_at_its_position,
            "Positions of a partition grow with each record."
                => publish::positions_grow_with_each_record,
            "A record is in the log as a whole or not at all."
                => publish::a_record_is_in_the_log_as_a_whole,
            "A record of `Record::MAX_BALLOTS` of the largest ballots is accepted."
                => publish::the_largest_record_is_taken,
            "The caller puts a deadline on every call and drops the future when it passes; the operation has then happened as a whole or not at all."
                => publish::a_dropped_publish_happened_as_a_whole_or_not_at_all,
            "Unavailable is returned only for a record that is not in the log and never will be."
                => publish::what_was_unavailable_is_never_in_the_log,
            "A partition is read from the position that the resume callback returns, whatever was committed."
                => resume::reading_starts_where_the_resume_callback_says,
            "Records are delivered in the order of the log, each once, with none left out."
                => subscribe::records_come_in_order_each_once_none_left_out,
            "Batches are contiguous: each starts where the one before it of the same partition ended."
                => subscribe::batches_join,
            "A batch has records of one partition, and no more ballots than asked for unless a single record has more."
                => subscribe::a_batch_is_of_one_partition_and_no_larger_than_asked_for,
            "Two members of a group read different partitions; together they read all of them."
                => group::two_members_share_the_partitions,
            "When a member leaves, the others take over its partitions, from the position that the resume callback returns then."
                => group::partitions_of_a_member_that_leaves_are_taken_over,
            "Dropping it leaves the group, at the latest when the log detects it."
                => group::partitions_of_a_dropped_member_are_taken_over,
            "Two groups each read everything."
                => group::two_groups_each_read_everything,
            "A record that is published later is delivered without another request."
                => subscribe::what_is_published_later_arrives,
            "A position after the end of the log is refused as misconfigured: the reader's store belongs to another log."
                => resume::a_position_behind_the_end_is_misconfigured,
            "A position before the first record that the log still has is refused as misconfigured: the records between them are lost."
                => resume::a_position_before_the_first_record_is_misconfigured,
            "A progress whose last ballot is not in the record at its offset is refused as misconfigured, and nothing of the partition is read: it is not the log that was folded."
                => resume::another_log_than_the_one_that_was_folded_is_misconfigured,
            "A last ballot whose record was deleted by retention is not looked up."
                => resume::a_last_ballot_that_was_dropped_is_not_looked_for,
            "Waits for the next batch of any of the member's partitions. The future may be dropped: no record is skipped."
                => subscribe::a_dropped_wait_skips_nothing,
            "Continues to read partition at next, if the partition is assigned to this member."
                => subscribe::a_seek_reads_from_there_on,
            "Its ballots, or its bytes if they cannot be decoded."
                => subscribe::an_unreadable_record_comes_in_its_place,
            "Lag counts the offsets between what a group committed and the end of the log."
                => lag::lag_counts_from_the_commit_to_the_end,
            "A commit moves forward only."
                => lag::a_commit_moves_forward_only,
            "A group that committed nothing is at the first record that the log still has."
                => lag::who_committed_nothing_is_at_the_first_record,
        }
    };
}

crate::__event_bus_clauses! { __clause_table (EventBusHarness) }
