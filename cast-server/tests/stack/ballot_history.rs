//! What is known of one ballot: answers, log, tables.

use crate::{ledger::Ledger, verdict::Evidence};

/// Everything that is known of a ballot, a line each.
pub(crate) fn ballot_history(name: &str, evidence: &Evidence<'_>) -> String {
    let mut lines = Vec::new();
    match evidence.ledger.ballots.get(name) {
        None => lines.push(format!("  ballot {name:?}, which no voter sent")),
        Some(ballot) => {
            let id = ballot.id.map_or("none".into(), |id| id.to_string());
            lines.push(format!(
                "  ballot {name:?}, id {id}, for {:?}",
                ballot.selections
            ));
            lines.extend(ballot.sendings.iter().map(|sending| {
                format!(
                    "    {} at {}: {:?}{}; request {:?}, ticket {}",
                    sending.at_unix_ms,
                    sending.server,
                    sending.response,
                    if sending.stale { ", stale" } else { "" },
                    sending.request,
                    sending.ticket
                )
            }));
        }
    }
    let logged = evidence.logged.ballots.iter();
    for ballot in logged.filter(|ballot| ballot.voter == name) {
        lines.push(format!(
            "    in the log: partition {}, offset {}, id {}, for {:?}",
            ballot.partition, ballot.offset, ballot.id, ballot.selections
        ));
    }
    let stored = evidence.stored.ballots.iter();
    for row in stored.filter(|row| row.voter == name) {
        lines.push(format!("    in the store: {row:?}"));
    }
    lines.push(format!(
        "    the store's progress: {:?}",
        evidence.stored.progress
    ));
    lines.join("\n")
}

/// What finds the lines about a ballot in the logs of the processes: its id, and the ids of the
/// requests that brought it.
pub(crate) fn log_references(name: &str, ledger: &Ledger) -> Vec<String> {
    let ballot = ledger.ballots.get(name);
    let requests = ballot.iter().flat_map(|ballot| &ballot.sendings);
    let requests = requests.map(|sending| sending.request.clone());
    let id = ballot.and_then(|ballot| ballot.id);
    let all = requests.chain(id.map(|id| id.to_string()));
    all.filter(|reference| !reference.is_empty()).collect()
}
