//! A progress bar on standard error, if that is a terminal.

use cast_core::Stage;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const STYLE: &str = "{msg:<10} {wide_bar:.green/dim} {human_pos} of {human_len} ballots, {eta}";

/// How far a move is.
pub(super) struct Progress {
    bar: ProgressBar,
    ballots: u64,
}

impl Progress {
    /// Of so many ballots.
    pub(super) fn of(ballots: u64) -> Self {
        // Hides itself where there is no terminal.
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(Some(ballots), target);
        let style = ProgressStyle::with_template(STYLE).expect("a template that is tested");
        bar.set_style(style);
        Self { bar, ballots }
    }

    /// Shows a stage.
    pub(super) fn show(&self, stage: Stage) {
        let (name, done, of) = match stage {
            Stage::Compared(done) => ("compare", done, done.max(1)),
            Stage::Published(done) => ("publish", done, self.ballots),
            Stage::Folding(behind) => ("fold", 0, behind),
            Stage::Verified(done) => ("verify", done, self.ballots),
        };
        self.bar.set_message(name);
        self.bar.set_length(of);
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
