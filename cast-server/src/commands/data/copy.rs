//! `backup` and `restore`.

use std::{path::Path, process::ExitCode};

use super::check::summary;
use crate::{
    config::{BackupConfig, RestoreConfig},
    process::{
        exit,
        terminal::{fail, print},
    },
    wiring::{self, Findings},
};

/// Copies the folder, and says what the copy has.
pub(in crate::commands) fn backup(config: &BackupConfig) -> ExitCode {
    let made = wiring::backup(&config.folder.data_dir, &config.target);
    done(made, "backup", &config.target)
}

/// Makes the folder, and says what it has.
pub(in crate::commands) fn restore(config: &RestoreConfig) -> ExitCode {
    let made = wiring::restore(&config.backup, &config.folder.data_dir);
    done(made, "restored", &config.folder.data_dir)
}

fn done<E: std::fmt::Display>(made: Result<Findings, E>, what: &str, folder: &Path) -> ExitCode {
    match made {
        Ok(findings) => print(&format!(
            "{what:<9}{}, verified\n{}",
            folder.display(),
            summary(&findings)
        )),
        Err(error) => {
            fail(&error.to_string());
            exit::FAILED.into()
        }
    }
}
