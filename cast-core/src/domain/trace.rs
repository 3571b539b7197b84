//! Where in somebody's trace a ballot came from.

/// The context of a trace, as W3C's `traceparent` has it: who looks into what became of a request
/// finds what was done with its ballot by it.
///
/// CAST carries it from a ballot into the log and to the fold, and makes nothing of it: no decision is
/// by it, and two ballots that differ in nothing else are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext([u8; Self::LEN]);

impl TraceContext {
    /// The bytes of one: 16 of the trace's id, 8 of the caller's span, 1 of flags.
    pub const LEN: usize = 25;

    /// The context with these bytes; `None` if an id is zero, which says that there is none.
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
    fn an_id_of_zeros_is_none() {
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
