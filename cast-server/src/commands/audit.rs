//! `audit`: compares store, counter and log of a deployment, beside which it may run at any time.
//!
//! It changes nothing and needs no ticket. The log is read as a group of a random name that commits
//! nothing: Kafka forgets such a group by itself as soon as it is left.

use std::{fmt::Write as _, process::ExitCode};

use cast_core::{Audit, AuditReport, AuditSettings, Ports, Settings, StartError};
use serde_json::{Value, json};

use crate::{
    app::{
        failure::{Failure, exit_code},
        run::block_on,
        settings,
    },
    config::{AuditConfig, Urls},
    process::{exit, terminal::print},
    wiring,
};

/// Audits, and prints what was compared and found.
pub(super) fn run(config: &AuditConfig) -> ExitCode {
    settings::start_log(&config.log);
    let audited = block_on(async {
        let urls = Urls {
            votes: config.votes()?,
            ..Urls::default()
        };
        let ports = wiring::inspected(&urls, &Settings::default())?;
        let (text, code) = audit(&ports, config.json).await?;
        print(&text);
        Ok(code)
    });
    audited.unwrap_or_else(|failure| exit_code(config.log.log_format, Err(failure)))
}

/// Audits the servers behind the ports: the report, and the exit code of its result.
async fn audit(ports: &Ports, as_json: bool) -> Result<(String, ExitCode), Failure> {
    let report = Audit::new(ports, AuditSettings::default()).run().await;
    let report = report.map_err(StartError::Port)?;
    let text = if as_json {
        format!("{}\n", as_value(&report))
    } else {
        as_text(&report)
    };
    let code = if report.is_clean() {
        exit::OK
    } else {
        exit::DIFFERENCE
    };
    Ok((text, code.into()))
}

/// A line for each partition, for the sums, and for each difference.
fn as_text(report: &AuditReport) -> String {
    let mut text = String::new();
    let mut line = |line: std::fmt::Arguments<'_>| {
        writeln!(text, "{line}").expect("a text takes any line");
    };
    for partition in &report.partitions {
        let gone = if partition.is_whole() {
            ""
        } else {
            "; earlier records are deleted, and their ballots compared within the store alone"
        };
        line(format_args!(
            "partition {}: log from offset {} to {}, in the store up to {}{gone}",
            partition.partition.get(),
            partition.start.get(),
            partition.end.get(),
            partition.progress.get()
        ));
    }
    line(format_args!(
        "log: {} ballots that count, {} repeats, {} rejected; {} records that cannot be read",
        report.ballots, report.repeated, report.rejected, report.unreadable
    ));
    let counter = report.counter;
    line(format_args!(
        "counter: {} tallies, {} of them not loaded, {} behind (both are refreshed when they are shown)",
        counter.compared, counter.missed, counter.behind
    ));
    line(format_args!("store: {} candidates", report.candidates));
    for finding in &report.findings {
        line(format_args!("DIFFERENCE {finding}"));
    }
    if report.unlisted > 0 {
        line(format_args!("and {} differences more", report.unlisted));
    }
    if report.is_clean() {
        line(format_args!("nothing differs"));
    }
    text
}

fn as_value(report: &AuditReport) -> Value {
    let partitions = report.partitions.iter().map(|partition| {
        json!({
            "partition": partition.partition.get(),
            "start": partition.start.get(),
            "progress": partition.progress.get(),
            "end": partition.end.get(),
        })
    });
    let findings = report.findings.iter().map(ToString::to_string);
    json!({
        "clean": report.is_clean(),
        "partitions": partitions.collect::<Vec<_>>(),
        "ballots": report.ballots,
        "repeated": report.repeated,
        "rejected": report.rejected,
        "unreadableRecords": report.unreadable,
        "candidates": report.candidates,
        "counter": {
            "tallies": report.counter.compared,
            "notLoaded": report.counter.missed,
            "behind": report.counter.behind,
        },
        "differences": findings.collect::<Vec<_>>(),
        "unlistedDifferences": report.unlisted,
    })
}

#[cfg(test)]
mod tests {
    use cast_core::{
        AuditedPartition, Finding,
        domain::{Candidate, Offset, Partition},
    };

    use super::*;

    fn report() -> AuditReport {
        AuditReport {
            partitions: vec![AuditedPartition {
                partition: Partition::new(3),
                start: Offset::new(5),
                progress: Offset::new(8),
                end: Offset::new(9),
            }],
            findings: vec![Finding::TotalDiffers {
                candidate: Candidate::new("alice").unwrap(),
                partition: Partition::new(3),
                total: 7,
                ballots: 6,
            }],
            unlisted: 2,
            ..AuditReport::default()
        }
    }

    #[test]
    fn a_difference_is_a_line_with_its_name_and_both_values() {
        let text = as_text(&report());
        let expected = "DIFFERENCE candidate \"alice\", partition 3: the store's total is 7 votes, \
                        and its ballots have 6\nand 2 differences more\n";
        assert!(text.ends_with(expected), "{text}");
        let place = "partition 3: log from offset 5 to 9, in the store up to 8; earlier records";
        assert!(text.starts_with(place), "{text}");
        assert!(as_text(&AuditReport::default()).ends_with("nothing differs\n"));
    }

    #[test]
    fn the_json_says_the_same() {
        let value = as_value(&report());
        assert_eq!(value["clean"], false);
        assert_eq!(value["partitions"][0]["progress"], 8);
        assert_eq!(value["unlistedDifferences"], 2);
        let difference = value["differences"][0].as_str().unwrap();
        assert!(difference.contains("alice"), "{difference}");
    }

    #[tokio::test]
    async fn the_exit_code_tells_a_difference_from_none() {
        let (clock, entropy) = wiring::system();
        let ports = cast_adapters::memory::ports_on(clock, entropy);
        let audited = audit(&ports, false).await;
        let (_, code) = audited.unwrap();
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
        // A store that has folded what the log does not have.
        let step = cast_core::domain::FoldStep {
            partition: Partition::new(0),
            start: Offset::START,
            next: Offset::new(1),
            ballots: Vec::new(),
            rejections: Vec::new(),
        };
        ports.store.apply(&step).await.unwrap();
        let audited = audit(&ports, true).await;
        let (text, code) = audited.unwrap();
        let expected = ExitCode::from(exit::DIFFERENCE);
        assert_eq!(format!("{code:?}"), format!("{expected:?}"));
        assert!(text.contains("\"clean\":false"), "{text}");
    }
}
