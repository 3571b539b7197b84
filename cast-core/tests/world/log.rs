//! What is logged while a test looks.

use std::sync::{Arc, Mutex};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// What was logged: level and text.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<(Level, String)>>>);

impl Log {
    pub(crate) fn lines(&self) -> Vec<(Level, String)> {
        self.0.lock().expect("no panic under the lock").clone()
    }

    /// How often a text was logged at a level.
    pub(crate) fn count(&self, level: Level, text: &str) -> usize {
        let lines = self.lines();
        let is_it = |line: &&(Level, String)| line.0 == level && line.1.contains(text);
        lines.iter().filter(is_it).count()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("cast_core")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let line = (*event.metadata().level(), text.0);
        self.0.lock().expect("no panic under the lock").push(line);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// All fields of an event in one line.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write as _;
        write!(self.0, "{field}={value:?} ").expect("a String takes any text");
    }
}
