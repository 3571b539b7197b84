//! What a GraphQL document is limited to.

use clap::{Args, value_parser};

use super::values::size;

/// What a GraphQL document is limited to. Its depth, its root fields, its directives and the size
/// of the cache are constants: they stop attacks, and no document of a client comes near them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "GraphQL documents")]
pub struct DocumentConfig {
    /// The most bytes of a document
    #[arg(long, value_name = "SIZE", default_value = "4KiB", value_parser = size)]
    pub max_document_size: usize,

    /// The highest estimated cost of a document: about the number of fields in its answer
    #[arg(long, value_name = "COUNT", default_value = "50000", value_parser = value_parser!(u64).range(1..))]
    pub max_cost: u64,
}
