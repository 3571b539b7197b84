//! `serve`: everything in one process.

use cast_core::Roles;

use super::app::App;
use crate::{
    config::{ConfigError, ServeConfig},
    wiring,
};

/// What the settings say.
pub fn app(config: &ServeConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let ports = wiring::ports(&config.urls, &config.memory_log, &settings)?;
    Ok(App {
        keys: config.tickets.key_ring(&*ports.entropy)?,
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
