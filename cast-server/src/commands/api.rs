//! `api`: takes votes and shows tallies.

use cast_core::Roles;

use crate::{
    config::{ApiConfig, ConfigError, MemoryLog},
    process::App,
    wiring,
};

/// What the settings say.
pub(super) fn app(config: &ApiConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let keys = config.tickets.shared_key_ring()?;
    Ok(App {
        keys,
        ports: wiring::ports(&config.urls, &MemoryLog::default(), &settings)?,
        settings,
        roles: Roles {
            api: true,
            generator: false,
            consumers: 0,
        },
        http: config.http.settings(),
        documents: config.documents.limits(),
        telemetry: config.telemetry.settings(),
    })
}
