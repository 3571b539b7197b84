//! What a person at a terminal sees of a run under way. Anybody else sees nothing of it.

use std::{sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::drive::Bench;

const LOOKS_PER_SECOND: u32 = 5;

/// A line on standard error, if that is a terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new() -> Self {
        // Hides itself where there is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg}").expect("a sound template");
        bar.set_style(style);
        Self(bar)
    }

    /// Says what is being done.
    pub(super) fn say(&self, what: impl Into<String>) {
        self.0.set_message(what.into());
        self.0.tick();
    }

    /// Follows the load. Never ends, unless nobody looks.
    pub(super) async fn follow(self: Arc<Self>, bench: Arc<Bench>) {
        if self.0.is_hidden() {
            return;
        }
        let begin = bench.clock.monotonic();
        let mut before = 0;
        loop {
            bench
                .clock
                .sleep(Duration::from_secs(1) / LOOKS_PER_SECOND)
                .await;
            let elapsed = bench.since(begin);
            let counts = bench.books().ledger.counts().clone();
            let rate = (counts.accepted - before) * u64::from(LOOKS_PER_SECOND);
            before = counts.accepted;
            let sum = |codes: &super::ledger::Codes| codes.values().sum::<u64>();
            self.say(format!(
                "voting: {} of {}, {} accepted, {rate} a second, {} refused, {} faults, {} unknown",
                humantime::format_duration(Duration::from_secs(elapsed.as_secs())),
                humantime::format_duration(bench.config.duration),
                counts.accepted,
                sum(&counts.refused),
                sum(&counts.faults),
                sum(&counts.unknown),
            ));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
