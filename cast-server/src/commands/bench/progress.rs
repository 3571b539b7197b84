//! A progress bar, for a terminal. Elsewhere it shows nothing.

use std::{sync::Arc, time::Duration};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::run::Run;

const UPDATES_PER_SECOND: u32 = 5;

/// The bar while votes are sent.
const LOAD: &str = "{elapsed:>4} {wide_bar:.green/dim} {msg}";

/// What follows takes as long as it takes.
const STEP: &str = "{spinner:.green} {msg}";

/// A progress bar on standard error, if that is a terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new() -> Self {
        // Hides itself where there is no terminal.
        Self(ProgressBar::with_draw_target(
            None,
            ProgressDrawTarget::stderr(),
        ))
    }

    /// Shows a step that has no known length.
    pub(super) fn step(&self, what: &'static str) {
        self.0.reset();
        self.0.set_style(style(STEP));
        self.0
            .enable_steady_tick(Duration::from_secs(1) / UPDATES_PER_SECOND);
        self.0.set_message(what);
    }

    /// Shows nothing, until the next step.
    pub(super) fn hide(&self) {
        self.0.disable_steady_tick();
        self.0.finish_and_clear();
    }

    /// Follows the load. Never ends, unless there is no terminal.
    pub(super) async fn follow(self: Arc<Self>, run: Arc<Run>) {
        if self.0.is_hidden() {
            return;
        }
        self.0.disable_steady_tick();
        self.0.set_style(style(LOAD));
        self.0.set_length(as_ms(run.config.duration));
        self.0.reset();
        let begin = run.clock.monotonic();
        let (mut before, mut at) = (0, begin);
        loop {
            let pause = Duration::from_secs(1) / UPDATES_PER_SECOND;
            run.clock.sleep(pause).await;
            let now = run.clock.monotonic();
            let accepted = run.stats().votes.accepted;
            let rate = per_second(accepted - before, now.saturating_sub(at));
            (before, at) = (accepted, now);
            self.0.set_message(message(&run, rate));
            self.0.set_position(as_ms(now.saturating_sub(begin)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("a sound template");
    style.progress_chars("━╸─")
}

/// The counts so far.
fn message(run: &Run, rate: u64) -> String {
    let stats = run.stats();
    let votes = &stats.votes;
    let (rate, accepted) = (HumanCount(rate), HumanCount(votes.accepted));
    let mut text = format!("{rate} votes/s, {accepted} accepted");
    for (name, codes) in [
        ("refused", &votes.refused),
        ("faults", &votes.faults),
        ("unknown", &votes.unknown),
    ] {
        let sum: u64 = codes.values().sum();
        if sum > 0 {
            text = format!("{text}, {} {name}", HumanCount(sum));
        }
    }
    text
}

fn per_second(count: u64, time: Duration) -> u64 {
    let ms = as_ms(time).max(1);
    count * 1_000 / ms
}

fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
