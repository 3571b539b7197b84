//! `check`: what a folder holds, what is damaged, and what to do.

use std::{fmt::Write as _, process::ExitCode};

use crate::{
    config::CheckConfig,
    process::{
        exit,
        terminal::{fail, print},
    },
    wiring::{self, Findings},
};

/// Reads everything, and prints what was found.
pub(in crate::commands) fn check(config: &CheckConfig) -> ExitCode {
    let folder = &config.folder.data_dir;
    let findings = match wiring::inspect(folder) {
        Ok(findings) => findings,
        Err(error) => {
            fail(&error.to_string());
            return exit::FAILED.into();
        }
    };
    print(&format!(
        "{:<9}{}\n{}{}",
        "folder",
        folder.display(),
        summary(&findings),
        verdict(&findings)
    ));
    if findings.damage_count == 0 {
        exit::OK.into()
    } else {
        exit::DIFFERENCE.into()
    }
}

/// What a folder holds, a line for each partition and one for the ballots.
pub(super) fn summary(findings: &Findings) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: std::fmt::Arguments<'_>| {
        writeln!(text, "{name:<9}{what}").expect("a text takes any line");
    };
    for one in &findings.partitions {
        line(
            "log",
            format_args!(
                "partition {}: records from {} to {}, folded up to {}",
                one.partition.get(),
                one.start.get(),
                one.end.get(),
                one.progress.get()
            ),
        );
    }
    line(
        "ballots",
        format_args!(
            "{} in the log, repeats included; {} counted, with {} votes",
            findings.ballots_in_log, findings.counted, findings.votes
        ),
    );
    if findings.undecodable > 0 {
        line(
            "",
            format_args!(
                "{} records cannot be decoded, and are as they were written",
                findings.undecodable
            ),
        );
    }
    text
}

fn verdict(findings: &Findings) -> String {
    if findings.damage_count == 0 {
        return "nothing is damaged\n".into();
    }
    let mut text = String::new();
    for damage in &findings.damage {
        writeln!(text, "DAMAGED  {damage}").expect("a text takes any line");
    }
    let listed = u64::try_from(findings.damage.len()).unwrap_or(u64::MAX);
    if findings.damage_count > listed {
        let more = findings.damage_count - listed;
        writeln!(text, "and {more} more").expect("a text takes any line");
    }
    for advice in &findings.advice {
        writeln!(text, "to do    {advice}").expect("a text takes any line");
    }
    text
}
