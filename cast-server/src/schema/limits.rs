//! The limits of GraphQL documents.

/// How deep the brackets of a document may nest. The parser recurses with each: a thousand would overflow
/// the stack, and no document of a client has more than a dozen.
pub const MAX_NESTING: usize = 32;

/// How many root fields an operation may have: each is a query of its own.
pub const MAX_ROOT_FIELDS: usize = 20;

/// How deep fields may nest. The introspection query of common tools is 15 deep.
pub const MAX_DEPTH: usize = 20;

/// How many directives a document may have: validation compares each with each.
pub(super) const MAX_DIRECTIVES: usize = 20;

/// How many bytes of text the cached documents may have together. Clients send a few documents of some
/// hundred bytes.
pub(super) const CACHE_SIZE: u64 = 256 * 1_024;

/// The limits that can be set.
#[derive(Clone, Debug)]
pub struct DocumentLimits {
    /// The most bytes of a document's text.
    pub max_size: usize,
    /// The most fields that executing it is expected to resolve. The introspection query of common tools
    /// costs about 20,000.
    pub max_cost: u64,
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self {
            max_size: 4 * 1_024,
            max_cost: 50_000,
        }
    }
}
