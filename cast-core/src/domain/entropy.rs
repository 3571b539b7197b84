//! The source of random bytes.

/// Gives random bytes that are fit for secrets. CAST asks nothing else for randomness, so a test that
/// seeds it can repeat every run.
pub trait Entropy: Send + Sync {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}
