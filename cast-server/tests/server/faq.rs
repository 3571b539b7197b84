//! docs/FAQ.md has every code that a client can get; it and docs/AUDIT.md quote log lines, messages and
//! reports as the program writes them.

use std::{collections::BTreeSet, fs, path::Path};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn file(path: &str) -> String {
    let path = format!("{ROOT}/{path}");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The code spans in the first cells of the table under this heading.
fn first_cells(heading: &str) -> Vec<String> {
    let faq = file("docs/FAQ.md");
    let heading = format!("\n## {heading}\n");
    let (_, section) = faq.split_once(&heading).expect("the section");
    let section = section.split("\n## ").next().expect("its text");
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let spans = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    // The headings of the table are no rows of it.
    spans
        .filter(|span| !["code", "message"].contains(span))
        .map(str::to_owned)
        .collect()
}

fn set(names: &[String]) -> BTreeSet<&str> {
    names.iter().map(String::as_str).collect()
}

fn is_code(name: &str) -> bool {
    name.len() > 5 && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

#[test]
fn the_faq_has_every_code_of_a_vote() {
    let schema = file("cast-server/schema.graphql");
    let (_, codes) = schema.split_once("enum VoteCode {").expect("the codes");
    let codes = codes.split('}').next().expect("their end");
    let codes: BTreeSet<_> = codes
        .lines()
        .map(str::trim)
        .filter(|it| is_code(it))
        .collect();
    assert_eq!(set(&first_cells("Answers of a vote, by `code`")), codes);
}

#[test]
fn the_faq_has_every_code_of_an_error() {
    let source = file("cast-server/src/protocol/error_code.rs");
    let codes = source.split('"').skip(1).step_by(2);
    let codes: BTreeSet<_> = codes.filter(|it| is_code(it)).collect();
    assert!(codes.contains("OUTCOME_UNKNOWN"), "{codes:?}");
    assert_eq!(
        set(&first_cells("GraphQL errors, by `extensions.code`")),
        codes
    );
}

/// All sources below a folder, with strings over several lines joined.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let mut pieces = text.split("\\\n");
            all.push_str(pieces.next().unwrap_or_default());
            for piece in pieces {
                all.push_str(piece.trim_start());
            }
        }
    }
}

/// Each quotation is in a source, but for what it leaves out.
fn assert_in_sources(quoted: &[String]) {
    let mut all = String::new();
    for krate in ["cast-core", "cast-adapters", "cast-server"] {
        sources(Path::new(&format!("{ROOT}/{krate}/src")), &mut all);
    }
    let pieces = quoted.iter().flat_map(|quote| quote.split('…'));
    let missing: Vec<_> = pieces.filter(|it| !all.contains(it.trim())).collect();
    assert!(missing.is_empty(), "no source has these: {missing:#?}");
}

/// What a document quotes outside of its code blocks: code spans with a space that are no commands.
fn quoted_by(path: &str) -> Vec<String> {
    let text = file(path);
    // Every other piece is a block.
    let prose: String = text.split("```").step_by(2).collect();
    let spans = prose.split('`').skip(1).step_by(2);
    let spans = spans.map(|it| it.replace('\n', " "));
    spans
        .filter(|it| it.contains(' ') && !it.contains(" -"))
        .collect()
}

#[test]
fn the_log_lines_and_messages_that_the_faq_quotes_are_in_the_sources() {
    let quoted = [
        first_cells("Log lines"),
        first_cells("The process ends: by message"),
    ]
    .concat();
    assert!(quoted.len() > 25, "{quoted:#?}");
    assert_in_sources(&quoted);
}

#[test]
fn the_reports_and_messages_that_the_audit_quotes_are_in_the_sources() {
    let quoted = quoted_by("docs/AUDIT.md");
    assert!(quoted.len() > 12, "{quoted:#?}");
    assert_in_sources(&quoted);
}
