//! A ticket generator dies while another goes on.

use std::collections::BTreeMap;

use cast_core::domain::Ticket;
use cast_testkit::Seed;

use crate::{
    check::check,
    ledger::Ledger,
    stack::{Deployment, Role, Stack, kill, until_failpoint},
    voters::Voters,
    workload::Workload,
};

/// The tickets that were ever shown, by the moment of their issue.
fn tickets_by_period(ledger: &Ledger) -> BTreeMap<u64, Vec<&str>> {
    let mut by_period: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for ticket in ledger.tickets() {
        let issued_at = Ticket::from_hex(ticket).unwrap().issued_at();
        let period = by_period.entry(issued_at.as_unix_ms()).or_default();
        period.push(ticket);
    }
    by_period
}

#[tokio::test]
async fn two_at_once_agree_on_one_ticket_a_period_and_any_of_them_may_die() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    // Enough that a ticket is seen in each period; few enough that its limit is felt.
    stack.set("CAST_TICKET_USES", "50");
    let deployment = Deployment::start(&stack, 2).await;
    let clients = deployment.clients();
    let (second, doomed, doomed_too) = tokio::join!(
        stack.run(Role::Generator),
        stack.run_until(Role::Generator, "before-tickets.publish:9"),
        stack.run_until(Role::Generator, "after-tickets.publish:10"),
    );
    let workload = Workload::new(clients.clone());
    let mut voters = Voters::start(Seed::from_env_or_random(), &workload, 8);
    for doomed in [doomed, doomed_too] {
        until_failpoint(&doomed).await;
        kill(doomed).await;
    }
    until_periods(&mut voters, &workload, 3).await;
    let Deployment {
        generator,
        consumer,
        apis,
    } = deployment;
    kill(generator).await;
    until_periods(&mut voters, &workload, 3).await;
    voters.stop().await;

    let ledger = workload.ledger();
    let gaps = ledger.no_ticket.get("NO_TICKET");
    assert_eq!(gaps, None, "a moment without a ticket");
    for (period, tickets) in tickets_by_period(&ledger) {
        assert_eq!(period % 1_000, 0, "{tickets:?}");
        assert_eq!(tickets.len(), 1, "two tickets for {period}: {tickets:?}");
    }
    check(&stack, &workload, &clients).await;
    let deployment = Deployment {
        generator: second,
        consumer,
        apis,
    };
    deployment.drain().await;
}

/// Waits until tickets of so many more periods were shown.
async fn until_periods(voters: &mut Voters, workload: &Workload, more: usize) {
    let before = tickets_by_period(&workload.ledger()).len();
    let more_periods = |ledger: &Ledger| tickets_by_period(ledger).len() >= before + more;
    voters
        .until_ledger("tickets of the next periods", more_periods)
        .await;
}
