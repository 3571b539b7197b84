//! What is found to be damaged.

/// Sentences about damage: the first few, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Damage {
    pub(super) first: Vec<String>,
    pub(super) count: u64,
}

/// Sentences that are kept.
const MAX_SENTENCES: usize = 20;

impl Damage {
    pub(super) fn note(&mut self, sentence: impl Into<String>) {
        self.count += 1;
        if self.first.len() < MAX_SENTENCES {
            self.first.push(sentence.into());
        }
    }
}
