//! Names that no other run has.

use cast_core::domain::Entropy;

/// Names that no other run has.
pub(super) struct Names {
    suffix: String,
}

impl Names {
    pub(super) fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        let suffix = format!("{:016x}", u64::from_le_bytes(bytes));
        Self { suffix }
    }

    pub(super) fn of(&self, name: &str) -> String {
        format!("{name}-{}", self.suffix)
    }
}
