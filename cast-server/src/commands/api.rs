//! `api`: accepts votes and shows tallies.

use cast_core::Roles;

use crate::{
    app::{App, settings},
    config::{ApiConfig, ConfigError},
    wiring,
};

/// The app that the settings describe.
pub(super) fn app(config: &ApiConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let keys = config.tickets.shared_key_ring()?;
    Ok(App {
        keys,
        ports: wiring::ports(&config.urls, &settings)?,
        places: wiring::places(&config.urls),
        settings,
        roles: Roles {
            api: true,
            generator: false,
            consumers: 0,
        },
        http: settings::http(&config.http),
        documents: settings::documents(&config.documents),
        telemetry: settings::telemetry(&config.telemetry),
    })
}
