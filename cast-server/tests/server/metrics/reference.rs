//! docs/METRICS.md, the alerts and the dashboard name the metrics that a server shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::{Scrape, server_over};
use crate::support::{one_vote, ports};

/// The content of a file of the repository.
fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path: PathBuf = root.join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metrics of the docs: names, types, labels.
fn table() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let docs = file("docs/METRICS.md");
    let rows = docs.lines().filter(|line| line.starts_with("| `cast_"));
    let row = |row: &str| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let kind = cells[2].split(',').next().unwrap().to_owned();
        let labels = cells[3].split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned());
        let name = cells[1].trim_matches('`').to_owned();
        (name, (kind, labels.collect()))
    };
    rows.map(row).collect()
}

#[tokio::test]
async fn the_table_of_metrics_is_what_a_server_shows() {
    let server = server_over(ports()).await;
    let ticket = server.client.ticket().await;
    server.client.vote(one_vote(&ticket, "ada")).await;
    let table = table();
    assert!(table.len() > 20, "{table:#?}");
    // The last gauge to be set.
    let asked = |scrape: &Scrape| scrape.value("cast_store_read_timestamp_seconds") > Some(0.0);
    let scrape = server.until_scraped("an answer", asked).await;
    assert_eq!(scrape.metrics(), table);
    for name in table.keys() {
        assert!(scrape.text.contains(&format!("# HELP {name} ")), "{name}");
    }
}

/// Names that begin as metrics do.
fn named_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("cast_")).collect()
}

#[test]
fn rules_and_dashboard_name_metrics_that_exist() {
    let table = table();
    let dashboard = file("k8s/monitoring/dashboard.json");
    let panels: serde_json::Value = serde_json::from_str(&dashboard).expect("it is JSON");
    assert!(panels["panels"].as_array().unwrap().len() > 10);
    for text in [file("k8s/monitoring/rules.yaml"), dashboard] {
        let names = named_in(&text);
        assert!(names.len() > 5, "{names:?}");
        for name in names {
            let suffixes = ["", "_bucket", "_sum", "_count"];
            let mut whole = suffixes.iter().filter_map(|end| name.strip_suffix(end));
            assert!(whole.any(|name| table.contains_key(name)), "{name}");
        }
    }
}
