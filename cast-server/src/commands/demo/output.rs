//! What the demo prints.

use serde_json::Value;

use crate::process::terminal::{dim, good, print, strong};

/// The beginning of a step.
pub(super) fn begin(number: usize, title: &str, why: &str) {
    let heading = format!("{number}. {title}");
    print(&format!("{}\n{}\n", strong(heading), indented(why)));
}

/// The end of a step that went as it must.
pub(super) fn end(what: &str) {
    print(&format!("   {}\n\n", good(format!("ok: {what}"))));
}

/// What else happens.
pub(super) fn note(what: &str) {
    print(&format!("   {}\n", dim(format!("({what})"))));
}

/// A request: its document where it is new, its first words where it was printed before.
pub(super) fn show_request(query: &str, variables: &Value, is_new: bool) {
    let name = query.split(['(', '{']).next().unwrap_or_default().trim();
    let document = if is_new { query } else { name };
    let document = document.replace('\n', "\n     ");
    let variables = match variables {
        Value::Null => String::new(),
        some => format!("     {some}\n"),
    };
    print(&format!("   {} {document}\n{variables}", dim(">")));
}

/// The data of a response.
pub(super) fn show_response(data: &Value) {
    print(&format!("   {} {data}\n", dim("<")));
}

/// Why there is no response.
pub(super) fn show_failure(why: &str) {
    print(&format!("   {} {why}\n", dim("<")));
}

fn indented(text: &str) -> String {
    format!("   {}", text.replace('\n', "\n   "))
}
