//! Randomness, as something that is asked for.

/// Gives random bytes, fit for secrets. The only way by which randomness comes into CAST, so that a
/// test can seed it.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}
