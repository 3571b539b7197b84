//! What a GraphQL document may be.

use clap::{Args, value_parser};

use super::values::{count, size};
use crate::schema::DocumentLimits;

/// What a GraphQL document may be.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "GraphQL documents")]
pub struct Documents {
    /// The most bytes of a document
    #[arg(long, value_name = "SIZE", default_value = "4KB", value_parser = size)]
    max_document_size: usize,

    /// How deep its brackets may nest
    #[arg(long, value_name = "COUNT", default_value = "32", value_parser = count())]
    max_bracket_depth: usize,

    /// How many root fields an operation may have
    #[arg(long, value_name = "COUNT", default_value = "20", value_parser = count())]
    max_root_fields: usize,

    /// How deep its fields may nest
    #[arg(long, value_name = "COUNT", default_value = "20", value_parser = count())]
    max_field_depth: usize,

    /// The most fields that answering it is expected to take
    #[arg(long, value_name = "COUNT", default_value = "50000", value_parser = value_parser!(u64).range(1..))]
    max_cost: u64,

    /// How many directives it may have
    #[arg(long, value_name = "COUNT", default_value = "20", value_parser = count())]
    max_directives: usize,

    /// How many bytes of text the documents that are kept parsed may have together
    #[arg(long, value_name = "SIZE", default_value = "256KB", value_parser = size)]
    document_cache_size: usize,
}

impl Documents {
    /// What a document may be.
    pub fn limits(&self) -> DocumentLimits {
        DocumentLimits {
            max_size: self.max_document_size,
            max_nesting: self.max_bracket_depth,
            max_root_fields: self.max_root_fields,
            max_depth: self.max_field_depth,
            max_cost: self.max_cost,
            max_directives: self.max_directives,
            cache_size: self.document_cache_size.try_into().unwrap_or(u64::MAX),
        }
    }
}
