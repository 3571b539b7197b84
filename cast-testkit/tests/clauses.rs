//! The suites have a test for each clause that a port's doc states, in its very words.

use cast_testkit::contract::{event_bus, ticket_source, vote_counter, vote_store};

/// What holds for every port, and what the log's records say of themselves.
const COMMON: [&str; 2] = [
    include_str!("../../cast-core/src/ports/mod.rs"),
    include_str!("../../cast-core/src/domain/log.rs"),
];

/// What a port's doc asks of its callers: no adapter can break it, and cast-core has the tests.
const OF_CALLERS: [&str; 1] = ["A generator publishes only what it has just made"];

macro_rules! suite {
    ($port:ident) => {
        #[test]
        fn $port() {
            let source = include_str!(concat!(
                "../../cast-core/src/ports/",
                stringify!($port),
                ".rs"
            ));
            let texts = $port::CLAUSES
                .iter()
                .map(|clause| clause.text.replace('`', ""));
            let texts: Vec<_> = texts.collect();
            assert_stated(&texts, source);
            assert_tested(&texts, source);
        }
    };
}

suite!(ticket_source);
suite!(event_bus);
suite!(vote_counter);
suite!(vote_store);

/// Each test is about something that the docs say.
fn assert_stated(texts: &[String], source: &str) {
    let docs = COMMON
        .into_iter()
        .chain([source])
        .map(plain_docs)
        .collect::<Vec<_>>()
        .join(" ");
    for text in texts {
        assert!(docs.contains(text), "no doc says: {text}");
    }
}

/// Each bullet of the port's doc, and what holds for every port when a call is dropped, has a test.
fn assert_tested(texts: &[String], source: &str) {
    let docs = plain_docs(source);
    let bullets = docs
        .split(" - ")
        .skip(1)
        .map(|rest| rest.split(" # ").next().unwrap_or(rest));
    let dropped = "the operation has then happened as a whole or not at all";
    let mut count = 0;
    let of_callers = |bullet: &&str| OF_CALLERS.iter().any(|clause| bullet.starts_with(clause));
    for bullet in bullets
        .chain([dropped])
        .filter(|bullet| !of_callers(bullet))
    {
        let tested = texts
            .iter()
            .any(|text| bullet.contains(text) || text.contains(bullet));
        assert!(tested, "no test for: {bullet}");
        count += 1;
    }
    assert!(count > 10, "the clauses of a port are its doc's bullets");
}

/// The doc comments of a file as one line, without the marks of links and code.
fn plain_docs(source: &str) -> String {
    let lines = source.lines().map(str::trim_start);
    let docs = lines.map(|line| match line {
        // What ends a doc ends a list.
        "///" | "//!" => "#",
        _ => line
            .strip_prefix("//")
            .map_or("#", |doc| doc.trim_start_matches(['/', '!'])),
    });
    let words = docs
        .flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ");
    let mut plain = String::new();
    let mut rest = words.as_str();
    while let Some((before, after)) = rest.split_once("](") {
        plain.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.replace(['[', '`', '*'], "")
}
