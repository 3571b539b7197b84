//! `move`: the votes of a folder go into a deployment.

use std::{process::ExitCode, sync::Arc};

use cast_core::{
    Origin as _, Ports, Settings, Stage, Transfer, TransferError, TransferReport, TransferSettings,
    fold_to_end,
    ports::{GroupName, PortError},
};

use super::progress::Progress;
use crate::{
    app::{
        failure::{Failure, exit_code},
        run::block_on,
        settings,
    },
    config::MoveConfig,
    process::terminal::{note, print},
    wiring::{self, MoveLedger, Moving},
};

/// Moves everything, and says what to do next.
pub(in crate::commands) fn transfer(config: &MoveConfig) -> ExitCode {
    settings::start_log(&config.log);
    let moved = block_on(async {
        let target = config.target()?;
        let place = target.places().join(", ");
        let folder = &config.folder.data_dir;
        let moving = wiring::moving(folder, &target, &Settings::default())?;
        let report = run(moving, &place).await?;
        print(&done(&report, &place, config));
        Ok(())
    });
    exit_code(config.log.log_format, moved)
}

async fn run(moving: Moving, place: &str) -> Result<TransferReport, Failure> {
    let Moving {
        data,
        origin,
        target,
        destination,
    } = moving;
    let mut ledger = ledger_of(data.move_ledger().map_err(failed)?, place)?;
    data.note_move(&ledger).map_err(failed)?;
    let settings = settings_of(&target);
    note("folding what the folder's log has and its store does not\n");
    let patience = settings.patience;
    fold_to_end(&origin, &settings.fold, patience, &|_| {})
        .await
        .map_err(server)?;
    let store = Arc::new(data.store());
    let progress = Progress::of(store.counted().await.map_err(server)?);
    let published = ledger.published;
    let watch = |stage| {
        progress.show(stage);
        if let Stage::Published(number) = stage {
            let now = MoveLedger {
                published: number,
                ..ledger.clone()
            };
            // Without it, the next run publishes again what the log has: that counts once.
            if let Err(error) = data.note_move(&now) {
                tracing::warn!(%error, "the ledger of the move is not written");
            }
        }
    };
    let transfer = Transfer::new(store, target, destination, settings);
    let report = transfer.run(published, &watch).await.map_err(unmoved)?;
    drop(progress);
    ledger.published = report.ballots;
    ledger.is_done = true;
    data.note_move(&ledger).map_err(failed)?;
    drop((transfer, origin));
    data.close().await;
    Ok(report)
}

/// With a consumer group of its own, so that the deployment's keeps its partitions: of two that fold the
/// same records, the store takes each once.
fn settings_of(target: &Ports) -> TransferSettings {
    let mut settings = TransferSettings::default();
    settings.fold.group = GroupName::unique("cast-move", &*target.entropy);
    settings
}

/// The ledger of an earlier run, or a new one.
fn ledger_of(found: Option<MoveLedger>, place: &str) -> Result<MoveLedger, Failure> {
    match found {
        None => Ok(MoveLedger::to(place)),
        Some(ledger) if ledger.target == place => Ok(ledger),
        Some(ledger) => Err(Failure::Data(format!(
            "the votes of this folder are being moved to {}: go on there, or delete the file `moved` of \
             the folder to move them to {place}",
            ledger.target
        ))),
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Data(error.to_string())
}

fn server(error: PortError) -> Failure {
    unmoved(error.into())
}

fn unmoved(error: TransferError) -> Failure {
    let what = match error {
        TransferError::Port(error) => error.chain(),
        other => other.to_string(),
    };
    Failure::Data(format!(
        "{what}. The folder has all votes; to go on, run the command again"
    ))
}

fn done(report: &TransferReport, place: &str, config: &MoveConfig) -> String {
    let keys = config.folder.data_dir.join("keys");
    format!(
        "moved    {} ballots with {} votes for {} candidates, and {} rejections, to {place}: verified\n\
         to do    start the servers there with --ticket-secret-file and a copy of {}; `serve` refuses \
         this folder from now on\n",
        report.ballots,
        report.votes,
        report.candidates,
        report.rejections,
        keys.display()
    )
}
