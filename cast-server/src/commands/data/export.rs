//! `export`: what a folder has, as text.

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use cast_core::{
    NumberedBallot, NumberedCandidate, NumberedRejection, Origin,
    domain::{StoredTally, Timestamp},
    ports::VoteStore,
};
use serde_json::{Value, json};

use crate::{
    app::{
        failure::{Failure, exit_code},
        run::block_on,
    },
    config::{ExportConfig, ExportFormat, Exported, LogFormat},
    wiring,
};

/// Rows that are read at once.
const ROWS: usize = 2_000;

/// Writes to standard output.
pub(in crate::commands) fn export(config: &ExportConfig) -> ExitCode {
    let written = block_on(async {
        let store = wiring::listed(&config.folder.data_dir)?;
        let mut out = BufWriter::new(io::stdout().lock());
        write_all(&*store, config, &mut out).await?;
        out.flush().map_err(unwritten)
    });
    exit_code(LogFormat::Text, written)
}

fn unwritten(error: io::Error) -> Failure {
    Failure::System {
        what: "writing the export",
        error,
    }
}

async fn write_all<S: Origin + VoteStore>(
    store: &S,
    config: &ExportConfig,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut rows = Rows {
        format: config.format,
        out,
    };
    rows.names(names_of(config.what))?;
    let mut after = 0;
    loop {
        let last = match config.what {
            Exported::Ballots => ballots(store, after, &mut rows).await?,
            Exported::Tallies => tallies(store, after, &mut rows).await?,
            Exported::Rejections => rejections(store, after, &mut rows).await?,
        };
        let Some(last) = last else {
            return Ok(());
        };
        after = last;
    }
}

const fn names_of(what: Exported) -> &'static [&'static str] {
    match what {
        Exported::Ballots => &[
            "number",
            "ballotId",
            "partition",
            "offset",
            "ticketIssuedAt",
            "voter",
            "candidate",
            "votes",
        ],
        Exported::Tallies => &["number", "candidate", "votes"],
        Exported::Rejections => &[
            "number",
            "partition",
            "offset",
            "ballotId",
            "reason",
            "rejectedAt",
        ],
    }
}

/// A page of ballots; its last number.
async fn ballots<S: Origin>(
    store: &S,
    after: u64,
    rows: &mut Rows<'_, impl Write>,
) -> Result<Option<u64>, Failure> {
    let page = store.ballots(after, ROWS).await.map_err(unread)?;
    for NumberedBallot {
        number,
        position,
        ballot,
    } in &page
    {
        let voter = ballot.voter.as_ref().map(ToString::to_string);
        let issued_at = time(ballot.ticket.issued_at);
        let head = [
            json!(number),
            json!(ballot.id.to_string()),
            json!(position.partition.get()),
            json!(position.offset.get()),
            json!(issued_at),
            json!(voter),
        ];
        let selections = ballot.selections.iter();
        let selections = selections.map(|one| (one.candidate.as_str(), one.votes.get()));
        match rows.format {
            ExportFormat::Csv => {
                for (candidate, votes) in selections {
                    let selection = [json!(candidate), json!(votes)];
                    rows.csv(head.iter().chain(&selection))?;
                }
            }
            ExportFormat::Jsonl => {
                let selections = selections
                    .map(|(candidate, votes)| json!({ "candidate": candidate, "votes": votes }));
                let names = &names_of(Exported::Ballots)[..head.len()];
                let mut object: serde_json::Map<String, Value> = names
                    .iter()
                    .map(|name| (*name).to_owned())
                    .zip(head)
                    .collect();
                object.insert("selections".into(), selections.collect());
                rows.line(&Value::Object(object))?;
            }
        }
    }
    Ok(page.last().map(|last| last.number))
}

/// A page of candidates with their votes; its last number.
async fn tallies<S: Origin + VoteStore>(
    store: &S,
    after: u64,
    rows: &mut Rows<'_, impl Write>,
) -> Result<Option<u64>, Failure> {
    let page = store.candidates(after, ROWS).await.map_err(unread)?;
    let names: Vec<_> = page.iter().map(|one| one.candidate.clone()).collect();
    let tallies = store.tallies(&names).await.map_err(unread)?;
    for (NumberedCandidate { number, candidate }, tally) in page.iter().zip(&tallies) {
        let row = [
            json!(number),
            json!(candidate.as_str()),
            json!(votes_of(tally)),
        ];
        rows.row(names_of(Exported::Tallies), row)?;
    }
    Ok(page.last().map(|last| last.number))
}

fn votes_of(tally: &StoredTally) -> u64 {
    let totals = tally.applied_totals.iter().map(|total| total.votes);
    totals.fold(0, u64::saturating_add)
}

/// A page of rejections; its last number.
async fn rejections<S: Origin>(
    store: &S,
    after: u64,
    rows: &mut Rows<'_, impl Write>,
) -> Result<Option<u64>, Failure> {
    let page = store.rejections(after, ROWS).await.map_err(unread)?;
    for NumberedRejection {
        number,
        partition,
        rejection,
        rejected_at,
    } in &page
    {
        let row = [
            json!(number),
            json!(partition.get()),
            json!(rejection.offset().get()),
            json!(rejection.ballot().map(|id| id.to_string())),
            json!(rejection.reason()),
            json!(time(*rejected_at)),
        ];
        rows.row(names_of(Exported::Rejections), row)?;
    }
    Ok(page.last().map(|last| last.number))
}

fn unread(error: impl Into<cast_core::ports::PortError>) -> Failure {
    Failure::Data(error.into().chain())
}

/// A time as in RFC 3339; milliseconds of Unix time, if it is beyond that.
fn time(time: Timestamp) -> String {
    let ms = time.as_unix_ms();
    let known = i64::try_from(ms).ok();
    let known = known.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    known.map_or_else(|| ms.to_string(), |time| time.to_string())
}

/// Where the rows go.
struct Rows<'w, W> {
    format: ExportFormat,
    out: &'w mut W,
}

impl<W: Write> Rows<'_, W> {
    /// The first line of a CSV.
    fn names(&mut self, names: &[&str]) -> Result<(), Failure> {
        match self.format {
            ExportFormat::Csv => writeln!(self.out, "{}", names.join(",")).map_err(unwritten),
            ExportFormat::Jsonl => Ok(()),
        }
    }

    fn row<const N: usize>(&mut self, names: &[&str], row: [Value; N]) -> Result<(), Failure> {
        match self.format {
            ExportFormat::Csv => self.csv(row.iter()),
            ExportFormat::Jsonl => {
                let names = names.iter().map(|name| (*name).to_owned());
                self.line(&Value::Object(names.zip(row).collect()))
            }
        }
    }

    fn csv<'v>(&mut self, row: impl Iterator<Item = &'v Value>) -> Result<(), Failure> {
        let cells: Vec<String> = row.map(cell).collect();
        writeln!(self.out, "{}", cells.join(",")).map_err(unwritten)
    }

    fn line(&mut self, object: &Value) -> Result<(), Failure> {
        writeln!(self.out, "{object}").map_err(unwritten)
    }
}

/// A cell as in RFC 4180. A text that a spreadsheet would take for a formula begins with an apostrophe.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text,
        other => return other.to_string(),
    };
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_and_is_never_a_formula() {
        for (value, expected) in [
            (json!(null), ""),
            (json!(12), "12"),
            (json!("alice"), "alice"),
            (json!("a,b"), "\"a,b\""),
            (json!("say \"hi\""), "\"say \"\"hi\"\"\""),
            (json!("two\nlines"), "\"two\nlines\""),
            (json!("=1+1"), "'=1+1"),
            (json!("-x,y"), "\"'-x,y\""),
            (json!("@sum"), "'@sum"),
        ] {
            assert_eq!(cell(&value), expected);
        }
    }

    #[test]
    fn a_time_is_written_as_in_rfc_3339() {
        let at = Timestamp::from_unix_ms(1_796_085_002_000);
        assert_eq!(time(at), "2026-12-01T00:30:02Z");
        assert_eq!(
            time(Timestamp::from_unix_ms(u64::MAX)),
            u64::MAX.to_string()
        );
    }
}
