//! The contract of [`TicketSource`](cast_core::ports::TicketSource), clause by clause.

pub use self::scenario::TicketSourceHarness;

mod current;
mod publish;
mod redeem;
mod repeat;
mod scenario;

/// Expands to one `#[test]` for each clause of the contract of `TicketSource`; takes the
/// function that opens a harness: `async fn() -> Result<H, Skipped>`, where `H` is a
/// [`TicketSourceHarness`](crate::contract::ticket_source::TicketSourceHarness).
#[macro_export]
macro_rules! ticket_source_contract {
    ($make:expr) => {
        $crate::__ticket_source_clauses! { __clause_tests (ticket_source, $make) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __ticket_source_clauses {
    ($callback:ident $arguments:tt) => {
        $crate::$callback! { $arguments
            "The first ticket of a period wins: publishing another one returns the first."
                => publish::the_first_ticket_of_a_period_wins,
                => publish::generators_that_race_agree_on_one_ticket,
            "Publishing the same ticket again changes nothing and gives back no uses."
                => publish::publishing_again_gives_back_no_uses,
            "A ticket may be published before its period; until then it is neither shown nor redeemed."
                => publish::a_ticket_published_early_waits_for_its_period,
            "A ticket that is already expired is not stored; if its period has no ticket, it is returned as it is."
                => publish::a_ticket_whose_end_has_passed_is_not_kept,
            "The current ticket is the one whose period began last, while it is valid."
                => current::the_current_ticket_is_the_one_begun_last,
            "There is no current ticket before the first period and after the last."
                => current::there_is_none_before_the_first_and_after_the_last,
            "The uses left are the limit minus the uses granted."
                => current::the_uses_left_are_the_limit_less_the_grants,
            "Uses are granted in the order of the claims, as many as are left; the other claims are exhausted."
                => redeem::uses_are_granted_in_order_as_many_as_are_left,
            "Concurrent redemptions never grant more than the limit of a ticket in total."
                => redeem::racing_grants_add_up_to_the_limit,
            "A repeated id takes no use: in the same call, in a later call, and with a newer ticket, for as long as the source remembers ids, which is longer than any client retries."
                => repeat::a_repeated_id_costs_nothing_in_the_same_call,
                => repeat::a_repeated_id_costs_nothing_in_a_later_call,
                => repeat::a_repeated_id_costs_nothing_with_a_newer_ticket,
                => repeat::a_repeated_id_costs_nothing_when_its_copies_race,
            "A repeated id is answered as repeated even if the ticket has no uses left."
                => repeat::a_repeated_id_is_repeated_by_an_exhausted_ticket,
            "A repeated id with other contents is refused as altered and takes no use."
                => repeat::other_contents_are_refused_as_altered,
            "A ticket that was never published is unknown."
                => redeem::a_ticket_never_published_is_unknown,
            "A ticket whose period has not begun is unknown."
                => redeem::a_ticket_whose_period_has_not_begun_is_unknown,
            "A ticket is expired from its end on, for repeated ids too."
                => redeem::a_ticket_is_expired_from_its_end_on,
            "A ticket that expired long ago may be unknown instead of expired; it is never granted."
                => redeem::a_ticket_long_past_is_never_granted,
            "A refused id is not remembered: it may be granted with another ticket."
                => redeem::what_was_refused_is_not_remembered,
            "Redeeming no claims returns no answers and has no effect."
                => redeem::no_claims_no_answers_no_effect,
            "A source that lost the use counter of a ticket refuses the ticket as unknown and never starts to count again. A new ticket may then be published for the running period, and votes are possible again."
                => redeem::a_ticket_whose_use_counter_was_lost_is_unknown,
                => redeem::a_new_ticket_after_a_loss_lets_voters_go_on,
            "The caller puts a deadline on every call and drops the future when it passes; the operation has then happened as a whole or not at all."
                => redeem::a_dropped_redemption_happened_as_a_whole_or_not_at_all,
        }
    };
}

crate::__ticket_source_clauses! { __clause_table (TicketSourceHarness) }
