//! Apply, where a ballot id comes again.

use std::sync::Arc;

use cast_core::domain::{LoggedBallot, Partition};

use super::scenario::{P0, P1, Scenario, counted, next};
use crate::fixtures::step;
use crate::{fixtures::ballot, waiting::race};

impl Scenario<'_> {
    /// A ballot, and one of the same id that says something else.
    fn ballot_and_impostor(&self) -> (LoggedBallot, LoggedBallot) {
        let first = self.for_alice(1);
        let impostor = ballot(first.id, &[(&self.bob, 1_000), (&self.alice, 10)]);
        (first, impostor)
    }

    async fn assert_first_alone_counts(&self, first: &LoggedBallot) {
        assert_eq!(self.votes(&self.alice).await, 1);
        assert_eq!(self.votes(&self.bob).await, 0);
        let view = self.view(&[first.id]).await;
        assert_eq!(view.recount, [(self.alice.clone(), 1)]);
    }
}

pub(super) async fn a_ballot_id_counts_once_within_a_step(scenario: Scenario<'_>) {
    let (first, impostor) = scenario.ballot_and_impostor();
    let copies = [
        (3, first.clone()),
        (3, first.clone()),
        (4, impostor),
        (7, first.clone()),
    ];
    let (totals, new) = scenario.fold(&step(P0, (0, 9), copies)).await;
    assert_eq!(new, 1);
    assert_eq!(
        totals,
        [(scenario.alice.clone(), 1), (scenario.bob.clone(), 0)]
    );
    scenario.assert_first_alone_counts(&first).await;
    assert_eq!(scenario.fate(first.id).await, Some(counted(P0, 3)));
}

pub(super) async fn a_ballot_id_counts_once_over_steps(scenario: Scenario<'_>) {
    let (first, impostor) = scenario.ballot_and_impostor();
    scenario.fold(&next(P0, 0, &[&first])).await;
    for (start, copy) in [(1, &first), (2, &impostor), (3, &first)] {
        let (_, new) = scenario.fold(&next(P0, start, &[copy])).await;
        assert_eq!(new, 0);
        scenario.assert_first_alone_counts(&first).await;
    }
    assert_eq!(scenario.fate(first.id).await, Some(counted(P0, 0)));
}

pub(super) async fn a_ballot_id_counts_once_over_partitions(scenario: Scenario<'_>) {
    let (first, impostor) = scenario.ballot_and_impostor();
    scenario.fold(&next(P1, 0, &[&first])).await;
    for (start, copy) in [(0, &impostor), (1, &first)] {
        let (_, new) = scenario.fold(&next(P0, start, &[copy])).await;
        assert_eq!(new, 0);
        scenario.assert_first_alone_counts(&first).await;
    }
    assert_eq!(scenario.fate(first.id).await, Some(counted(P1, 0)));
}

pub(super) async fn a_ballot_id_counts_once_when_partitions_race(scenario: Scenario<'_>) {
    const BALLOTS: usize = 20;
    let mut ballots: Vec<_> = (0..BALLOTS).map(|_| scenario.for_alice(1)).collect();
    for round in 0..4 {
        // Each partition's step has all the ballots, in an order of its own: the straightest way
        // into a deadlock for a store that locks rows as it goes.
        let new = race(4, |number| {
            let store = Arc::clone(&scenario.store);
            scenario.fixtures.entropy().shuffle(&mut ballots);
            let partition = Partition::new(u32::try_from(number).expect("a few"));
            let step = next(partition, round, &ballots.iter().collect::<Vec<_>>());
            async move {
                match store.apply(&step).await.expect("the store applies a step") {
                    cast_core::ports::Applied::Folded { counted, .. } => counted,
                    fenced @ cast_core::ports::Applied::Fenced { .. } => panic!("{fenced:?}"),
                }
            }
        })
        .await;
        let expected = if round == 0 { BALLOTS } else { 0 };
        assert_eq!(
            new.iter().sum::<usize>(),
            expected,
            "new to the partitions: {new:?}"
        );
        assert_eq!(scenario.votes(&scenario.alice).await, BALLOTS as u64);
    }
}
