//! The trace that a ballot belongs to.

/// The context of a distributed trace, as in W3C's `traceparent` header.
///
/// CAST carries it with the ballot into the log and to the fold, so that a trace shows what happened to
/// the ballot. No decision depends on it, and ballots that differ in nothing else are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext([u8; Self::LEN]);

impl TraceContext {
    /// The length in bytes: 16 of the trace id, 8 of the parent span id, 1 of flags.
    pub const LEN: usize = 25;

    /// The context with these bytes; `None` if one of the two ids is all zeros, which W3C defines as
    /// invalid.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Option<Self> {
        let is_zero = |id: &[u8]| id.iter().all(|byte| *byte == 0);
        let is_none = is_zero(&bytes[..16]) || is_zero(&bytes[16..24]);
        (!is_none).then_some(Self(bytes))
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_with_an_id_of_zeros_is_refused() {
        let with = |trace: u8, span: u8| {
            let mut bytes = [0; TraceContext::LEN];
            (bytes[15], bytes[16]) = (trace, span);
            TraceContext::from_bytes(bytes)
        };
        assert_eq!([with(0, 0), with(1, 0), with(0, 1)], [None; 3]);
        let both = with(1, 2).expect("a context");
        assert_eq!(both.as_bytes()[15..17], [1, 2]);
    }
}
