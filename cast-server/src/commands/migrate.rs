//! `migrate`: creates the tables and the topic that the roles need, or updates them.

use std::{process::ExitCode, time::Duration};

use cast_core::domain::Clock;

use crate::{
    app::{
        failure::{Failure, exit_code},
        readiness::{LONGEST_PAUSE, backoff},
        run::block_on,
        settings,
    },
    config::MigrateConfig,
    process::terminal::print,
    wiring::{self, Migration},
};

/// Migrates, and says what that took.
pub(super) fn run(config: &MigrateConfig) -> ExitCode {
    settings::start_log(&config.log);
    let migrated = block_on(async {
        let (clock, _) = wiring::system();
        let deadline = clock.monotonic() + config.wait;
        for migration in wiring::migrations(config)? {
            let done = migrate(&*clock, deadline, &migration).await?;
            print(&format!("{done}\n"));
        }
        Ok(())
    });
    exit_code(config.log.log_format, migrated)
}

/// Migrates as soon as the server answers; gives up at the deadline. A migration is safe to
/// repeat, so an unknown outcome is no reason to stop.
async fn migrate(
    clock: &dyn Clock,
    deadline: Duration,
    migration: &Migration,
) -> Result<String, Failure> {
    let mut backoff = backoff();
    let mut is_logged = false;
    loop {
        let error = match (migration.run)().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if !error.is_transient() || clock.monotonic() >= deadline {
            let place = migration.place.clone();
            return Err(Failure::Server { place, error });
        }
        let pause = backoff.next_pause();
        if pause >= LONGEST_PAUSE && !is_logged {
            is_logged = true;
            tracing::warn!(
                place = migration.place,
                cause = error.chain(),
                "waiting for a server"
            );
        }
        // The last attempt is at the deadline, not a pause after it.
        let left = deadline.saturating_sub(clock.monotonic());
        clock.sleep(pause.min(left)).await;
    }
}
