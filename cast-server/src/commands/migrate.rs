//! `migrate`: makes what the other roles stand on, or brings it up to date.

use std::{process::ExitCode, time::Duration};

use cast_core::{StartError, ports::Clock};

use crate::{
    config::MigrateConfig,
    process::{
        app::pauses,
        run::{Failure, block_on, exit_code},
        terminal::print,
    },
    telemetry,
    wiring::{self, Migration},
};

/// Migrates, and says what that took.
pub(super) fn run(config: &MigrateConfig) -> ExitCode {
    telemetry::init(&config.log);
    let migrated = block_on(async {
        let (clock, _) = wiring::system();
        let deadline = clock.monotonic() + config.wait;
        for migration in wiring::migrations(config)? {
            let told = migrate(&*clock, deadline, &migration).await?;
            print(&format!("{told}\n"));
        }
        Ok(())
    });
    exit_code(migrated)
}

/// Migrates as soon as the server is there; gives up at the deadline. What was done already is not
/// done again, so an outcome that is not known is no reason to stop.
async fn migrate(
    clock: &dyn Clock,
    deadline: Duration,
    migration: &Migration,
) -> Result<String, Failure> {
    let mut pauses = pauses();
    loop {
        let error = match migration().await {
            Ok(told) => return Ok(told),
            Err(error) => error,
        };
        if !error.is_transient() || clock.monotonic() >= deadline {
            return Err(StartError::Port(error).into());
        }
        tracing::warn!(cause = error.chain(), "waiting for a server");
        clock.sleep(pauses()).await;
    }
}
