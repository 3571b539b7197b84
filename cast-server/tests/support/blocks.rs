//! The blocks of code in a document.

/// The blocks of one language, in their order.
pub(crate) fn blocks<'a>(document: &'a str, language: &str) -> Vec<&'a str> {
    document
        .split("\n```")
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}
