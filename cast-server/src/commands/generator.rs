//! `ticket-generator`: issues a ticket each period; several instances agree on one.

use cast_core::Roles;

use crate::{
    app::{App, settings},
    config::{ConfigError, TicketGeneratorConfig, Urls},
    schema::DocumentLimits,
    wiring,
};

/// The app that the settings describe.
pub(super) fn app(config: &TicketGeneratorConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let keys = config.tickets.shared_key_ring()?;
    // It uses the tickets' server alone; the others are in memory, and cost nothing.
    let urls = Urls {
        tickets: config.tickets_url.clone(),
        ..Urls::default()
    };
    Ok(App {
        keys,
        ports: wiring::ports(&urls, &settings)?,
        places: wiring::places(&urls),
        settings,
        roles: Roles {
            api: false,
            generator: true,
            consumers: 0,
        },
        http: settings::http(&config.http),
        documents: DocumentLimits::default(),
        telemetry: settings::telemetry(&config.telemetry),
    })
}
