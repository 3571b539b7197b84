//! The limits of GraphQL documents.

/// The limits of documents.
#[derive(Clone, Debug)]
pub struct DocumentLimits {
    /// The most bytes of a document's text.
    pub max_size: usize,
    /// How deep its brackets may nest. The parser recurses with each: a thousand would overflow the
    /// stack, and no document of a client has more than a dozen.
    pub max_nesting: usize,
    /// How many root fields an operation may have: each is a query of its own.
    pub max_root_fields: usize,
    /// How deep its fields may nest.
    pub max_depth: usize,
    /// The most fields that executing it is expected to resolve.
    pub max_cost: u64,
    /// How many directives it may have: validation compares each with each.
    pub max_directives: usize,
    /// How many bytes of text the cached documents may have together. Clients send a few documents of
    /// some hundred bytes.
    pub cache_size: u64,
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self {
            max_size: 4 * 1_024,
            max_nesting: 32,
            max_root_fields: 20,
            // The introspection query of common tools is 15 deep and costs about 20,000.
            max_depth: 20,
            max_cost: 50_000,
            max_directives: 20,
            cache_size: 256 * 1_024,
        }
    }
}
