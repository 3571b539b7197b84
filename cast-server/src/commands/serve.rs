//! `serve`: everything in one process.

use cast_core::Roles;

use crate::{
    config::{ConfigError, ServeConfig},
    process::App,
    wiring,
};

/// What the settings say.
pub(super) fn app(config: &ServeConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let ports = wiring::ports(&config.urls, &config.memory_log, &settings)?;
    config.urls.check_log_lasts()?;
    let keys = if config.urls.tickets_are_shared() {
        // A ring of its own would not know the tickets that it left there before a restart.
        config.tickets.shared_key_ring()?
    } else {
        config.tickets.key_ring(&*ports.entropy)?
    };
    Ok(App {
        keys,
        ports,
        settings,
        roles: Roles {
            consumers: config.fold.consumers(),
            ..Roles::ALL
        },
        http: config.http.settings(),
        documents: config.documents.limits(),
        telemetry: config.telemetry.settings(),
    })
}
