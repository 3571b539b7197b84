//! Makes a history that breaks a promise smaller, for as long as it breaks one.

use super::{
    OpenAdapters,
    history::{History, Role, What},
    run::run,
    world::Ran,
};

/// Shrinks a failing history, in at most `tries` runs. Returns it with the traced result of its last run.
pub(super) fn shrink(adapters: &OpenAdapters, history: History, tries: usize) -> (History, Ran) {
    let mut shrinking = Shrinking {
        adapters,
        history,
        tries_left: tries,
    };
    loop {
        let removed = shrinking.remove_events();
        let simplified = shrinking.simplify_setup() | shrinking.simplify_votes();
        if !(removed || simplified) {
            break;
        }
    }
    let ran = run(adapters, &shrinking.history, true);
    (shrinking.history, ran)
}

struct Shrinking<'a> {
    adapters: &'a OpenAdapters,
    /// One that fails.
    history: History,
    tries_left: usize,
}

impl Shrinking<'_> {
    /// Takes a smaller history if it fails too.
    fn take(&mut self, smaller: History) -> bool {
        let Some(tries_left) = self.tries_left.checked_sub(1) else {
            return false;
        };
        self.tries_left = tries_left;
        let fails = run(self.adapters, &smaller, false).violation.is_some();
        if fails {
            self.history = smaller;
        }
        fails
    }

    /// Leaves out events: half of them at once, and fewer and fewer.
    fn remove_events(&mut self) -> bool {
        let mut any = false;
        let mut chunk = self.history.events.len().div_ceil(2);
        while chunk > 0 {
            let mut at = 0;
            while at < self.history.events.len() {
                let mut smaller = self.history.clone();
                let end = (at + chunk).min(smaller.events.len());
                smaller.events.drain(at..end);
                if self.take(smaller) {
                    any = true;
                } else {
                    at += chunk;
                }
            }
            chunk /= 2;
        }
        any
    }

    fn simplify_setup(&mut self) -> bool {
        let mut any = false;
        for role in [Role::Generator, Role::Consumer, Role::Api, Role::All] {
            any |= self.remove_process(role);
        }
        let simplify: [fn(&mut History); 5] = [
            |history| history.setup.partitions = 1,
            |history| history.setup.jitter_us = 0,
            |history| {
                history
                    .setup
                    .processes
                    .iter_mut()
                    .for_each(|p| p.skew_ms = 0);
            },
            |history| history.setup.flush_limit = 512,
            |history| history.setup.intake_capacity = 4_096,
        ];
        for simplify in simplify {
            let mut smaller = self.history.clone();
            simplify(&mut smaller);
            if format!("{:?}", smaller.setup) != format!("{:?}", self.history.setup) {
                any |= self.take(smaller);
            }
        }
        any
    }

    /// Leaves out the last process of a role that has several, if no event names it.
    fn remove_process(&mut self, role: Role) -> bool {
        let processes = &self.history.setup.processes;
        let of_role = processes.iter().filter(|p| p.role == role).count();
        let Some(last) = processes.iter().rposition(|p| p.role == role) else {
            return false;
        };
        let is_named = self.history.events.iter().any(|event| match &event.what {
            What::Crash { process, .. }
            | What::Freeze { process, .. }
            | What::FaultAt { process, .. }
            | What::Restart { process } => *process >= last,
            _ => false,
        });
        if of_role < 2 || is_named {
            return false;
        }
        let mut smaller = self.history.clone();
        smaller.setup.processes.remove(last);
        self.take(smaller)
    }

    /// Simplifies the votes.
    fn simplify_votes(&mut self) -> bool {
        let mut any = false;
        for at in 0..self.history.events.len() {
            let mut smaller = self.history.clone();
            let What::Vote(vote) = &mut smaller.events[at].what else {
                continue;
            };
            let before = (vote.picks.len(), vote.retries, vote.alters, vote.again);
            vote.picks.truncate(1);
            vote.retries = vote.retries.saturating_sub(1);
            (vote.alters, vote.again) = (vote.alters && vote.retries > 0, false);
            if before != (vote.picks.len(), vote.retries, vote.alters, vote.again) {
                any |= self.take(smaller);
            }
        }
        any
    }
}
