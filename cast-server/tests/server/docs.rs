//! What the documents name is there: settings, metrics, alerts, tests, and what they link to.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::support::{program, run};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Variables that are no settings of the program: for building the image, and for tests.
const OTHER_VARIABLES: [&str; 2] = ["CAST_FEATURES", "CAST_MODEL_BOUND"];

/// Flags in running text that are other programs'.
const OTHER_FLAGS: [&str; 14] = [
    // build-and-deploy.sh
    "--dry-run",
    // cargo, and what it runs
    "--in-diff",
    "--shard",
    "--histories",
    "--instructions",
    "--list",
    "--no-default-features",
    "--profile",
    "--seed",
    "--duration",
    // docker
    "--build-arg",
    "--volumes",
    // the example `servers`
    "--durable",
    // openssl and kafka's tools
    "--print-data-log",
];

struct Document {
    path: PathBuf,
    text: String,
}

/// A document for people: each in the root and in docs/.
fn documents() -> Vec<Document> {
    let folders = [
        ROOT.into(),
        format!("{ROOT}/docs"),
        format!("{ROOT}/docs/adr"),
    ];
    let files = folders.iter().flat_map(|it| fs::read_dir(it).unwrap());
    let paths = files.map(|entry| entry.unwrap().path());
    let documents: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            Document { path, text }
        })
        .collect();
    assert!(documents.len() > 10);
    documents
}

fn operations() -> Document {
    let mut documents = documents().into_iter();
    let found = documents.find(|it| it.path.ends_with("docs/OPERATIONS.md"));
    found.expect("it is there")
}

impl Document {
    /// The text outside of blocks of code.
    fn prose(&self) -> String {
        let parts = self.text.split("\n```");
        parts.step_by(2).collect::<Vec<_>>().join("\n")
    }

    /// What stands in the text as code, outside of blocks.
    fn code(&self) -> Vec<String> {
        let prose = self.prose();
        let spans = prose.split('`').skip(1).step_by(2);
        spans.map(|it| it.replace('\n', " ")).collect()
    }

    /// The lines of blocks of code that run the program.
    fn commands(&self) -> Vec<&str> {
        let blocks = self.text.split("\n```").skip(1).step_by(2);
        let lines = blocks.flat_map(str::lines);
        let runs = |line: &&str| line.starts_with("cast-server ") || line.starts_with("cast ");
        lines.filter(runs).collect()
    }

    fn name(&self) -> String {
        self.path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    }
}

/// The words in a text that begin like this and go on with these characters.
fn words<'a>(text: &'a str, begin: &'a str, is_part: fn(char) -> bool) -> BTreeSet<&'a str> {
    let word = |(at, _): (usize, &str)| {
        // `xCAST_` is another word.
        let before = text[..at].chars().next_back();
        let begins = !before.is_some_and(|c| c.is_alphanumeric() || "-_".contains(c));
        let rest = &text[at + begin.len()..];
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        (begins && length > 0).then(|| &text[at..at + begin.len() + length])
    };
    text.match_indices(begin).filter_map(word).collect()
}

fn flags(text: &str) -> BTreeSet<&str> {
    words(text, "--", |c| c.is_ascii_lowercase() || c == '-')
}

fn variables(text: &str) -> BTreeSet<&str> {
    words(text, "CAST_", |c| c.is_ascii_uppercase() || c == '_')
}

/// The help of every command, one behind the other.
async fn help() -> String {
    let (code, help, _) = run(program(&["--help"])).await;
    assert_eq!(code, Some(0));
    let (_, commands) = help.split_once("Commands:\n").expect("a list");
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| {
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        is_name.then(|| line.split_whitespace().next().unwrap())
    });
    let mut all = String::new();
    for name in names.filter(|name| *name != "help") {
        let (code, help, stderr) = run(program(&[name, "--help"])).await;
        assert_eq!(code, Some(0), "{name}: {stderr}");
        all += &help;
    }
    all
}

#[tokio::test]
async fn every_setting_that_a_document_names_is_there() {
    let help = help().await;
    let (known_flags, known_variables) = (flags(&help), variables(&help));
    assert!(known_flags.contains("--ticket-uses") && known_flags.contains("--retry-fraction"));
    assert!(known_variables.contains("CAST_TICKET_SECRET_FILE"));
    let mut unknown = Vec::new();
    let mut seen = 0;
    for document in documents() {
        let code = document.code();
        let in_prose = code.iter().filter(|span| span.starts_with("--"));
        let named = in_prose.map(String::as_str).chain(document.commands());
        for flag in named.flat_map(flags) {
            seen += 1;
            if !known_flags.contains(flag) && !OTHER_FLAGS.contains(&flag) {
                unknown.push(format!("{}: {flag}", document.name()));
            }
        }
        for variable in variables(&document.text) {
            seen += 1;
            let is_other =
                variable.starts_with("CAST_TEST_") || OTHER_VARIABLES.contains(&variable);
            if !known_variables.contains(variable) && !is_other {
                unknown.push(format!("{}: {variable}", document.name()));
            }
        }
    }
    assert!(seen > 100, "{seen} were found");
    assert!(unknown.is_empty(), "there are none of these: {unknown:#?}");
}

#[test]
fn operations_name_every_alert_and_no_metric_that_is_none() {
    let rules = fs::read_to_string(format!("{ROOT}/k8s/monitoring/rules.yaml")).unwrap();
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: BTreeSet<_> = alerts.map(str::to_owned).collect();
    let operations = operations();
    let is_alert = |word: &String| {
        let rest = word.strip_prefix("Cast").unwrap_or_default();
        rest.starts_with(|c: char| c.is_ascii_uppercase())
    };
    let named: BTreeSet<_> = operations.code().into_iter().filter(is_alert).collect();
    assert_eq!(named, alerts);

    let metrics = fs::read_to_string(format!("{ROOT}/docs/METRICS.md")).unwrap();
    let is_of_a_metric = |c: char| c.is_ascii_lowercase() || c == '_';
    let known = words(&metrics, "cast_", is_of_a_metric);
    let named = words(&operations.text, "cast_", is_of_a_metric);
    let missing: Vec<_> = named
        .difference(&known)
        .filter(|it| **it != "cast_restored")
        .collect();
    assert!(
        named.len() > 8 && missing.is_empty(),
        "{missing:?} of {named:?}"
    );
}

#[test]
fn every_test_that_operations_name_is_there() {
    let is_test = |word: &String| {
        let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
        word.chars().all(is_word) && word.matches('_').count() > 4
    };
    let named: Vec<_> = operations().code().into_iter().filter(is_test).collect();
    let stack = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack");
    let (mut folders, mut tests) = (vec![stack], String::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                tests += &fs::read_to_string(path).unwrap();
            }
        }
    }
    assert!(named.len() >= 3, "{named:?}");
    for name in named {
        assert!(tests.contains(&format!("async fn {name}()")), "{name}");
    }
}

/// What a heading is linked to by, as it is shown on the web.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

#[test]
fn every_link_leads_to_something() {
    let mut seen = 0;
    for document in documents() {
        let prose = document.prose();
        let links = prose
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            seen += 1;
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let path = match file {
                "" => document.path.clone(),
                file => document.path.parent().unwrap().join(Path::new(file)),
            };
            assert!(path.exists(), "{}: {link}", document.name());
            if !place.is_empty() {
                let text = fs::read_to_string(&path).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|heading| anchor(heading) == place);
                assert!(is_there, "{}: {link}", document.name());
            }
        }
    }
    assert!(seen > 50, "{seen} were found");
}
