//! How likely each fault is.

use std::time::Duration;

use cast_core::ports::Operation;

use super::fault::Fault;
use crate::{
    entropy::{SeededEntropy, mix},
    seed::Seed,
};

/// How likely each fault is, in calls out of a thousand; the other calls have none.
#[derive(Clone, Debug, Default)]
pub struct Odds {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    /// `None` means all.
    operation: Option<Operation>,
    fault: Fault,
    per_mille: u32,
}

impl Odds {
    /// No faults at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// Some of every fault, at every operation: about one call in seven.
    pub fn some_of_all() -> Self {
        [
            (Fault::Refused, 25),
            (Fault::Lost, 20),
            (Fault::LostNoReply, 10),
            (Fault::DoneOutcomeUnknown, 25),
            (Fault::DoneNoReply, 10),
            (Fault::Twice, 15),
            (Fault::HeldBack, 15),
            (Fault::Delayed(Duration::from_millis(20)), 20),
            (Fault::Delayed(Duration::from_millis(700)), 5),
        ]
        .into_iter()
        .fold(Self::none(), |odds, (fault, per_mille)| {
            odds.of(fault, per_mille)
        })
    }

    /// Adds a fault at every operation.
    pub fn of(self, fault: Fault, per_mille: u32) -> Self {
        self.rule(None, fault, per_mille)
    }

    /// Adds a fault at one operation.
    pub fn at(self, operation: Operation, fault: Fault, per_mille: u32) -> Self {
        self.rule(Some(operation), fault, per_mille)
    }

    fn rule(mut self, operation: Option<Operation>, fault: Fault, per_mille: u32) -> Self {
        self.rules.push(Rule {
            operation,
            fault,
            per_mille,
        });
        let most = Operation::ALL
            .iter()
            .map(|operation| self.total(*operation))
            .max();
        assert!(
            most <= Some(1_000),
            "the odds of an operation's faults add up to more than one"
        );
        self
    }

    fn total(&self, operation: Operation) -> u32 {
        self.of_operation(operation)
            .map(|rule| rule.per_mille)
            .sum()
    }

    fn of_operation(&self, operation: Operation) -> impl Iterator<Item = &Rule> {
        let concerns = move |rule: &&Rule| rule.operation.is_none_or(|only| only == operation);
        self.rules.iter().filter(concerns)
    }

    /// Draws the fault of the `nth` call of an operation.
    ///
    /// It depends on nothing else, so that a run of the same calls has the same faults, however its
    /// tasks are scheduled.
    pub(super) fn draw(&self, seed: Seed, operation: Operation, nth: u64) -> Fault {
        let index = operation as u64;
        let random = SeededEntropy::new(mix(seed.get() ^ mix(index << 48 ^ nth)));
        let mut drawn = random.below(1_000);
        for rule in self.of_operation(operation) {
            let share = u64::from(rule.per_mille);
            if drawn < share {
                return rule.fault;
            }
            drawn -= share;
        }
        Fault::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_as_often_as_the_odds_say() {
        let odds = Odds::none()
            .of(Fault::Lost, 100)
            .at(Operation::Apply, Fault::Twice, 300);
        let count = |operation, fault| {
            let draws = (0..10_000).map(|nth| odds.draw(Seed::new(3), operation, nth));
            draws.filter(|drawn| *drawn == fault).count()
        };
        assert!((900..1_100).contains(&count(Operation::Apply, Fault::Lost)));
        assert!((2_800..3_200).contains(&count(Operation::Apply, Fault::Twice)));
        assert!((900..1_100).contains(&count(Operation::Record, Fault::Lost)));
        assert_eq!(count(Operation::Record, Fault::Twice), 0);
    }

    #[test]
    #[should_panic(expected = "more than one")]
    fn odds_beyond_one_are_a_mistake() {
        let _ = Odds::none()
            .of(Fault::Lost, 600)
            .at(Operation::Apply, Fault::Twice, 600);
    }
}
