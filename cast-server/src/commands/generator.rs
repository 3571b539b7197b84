//! `ticket-generator`: issues a ticket each period. Any number of them agree on one.

use cast_core::Roles;

use crate::{
    config::{ConfigError, MemoryLog, TicketGeneratorConfig, Urls},
    process::App,
    schema::DocumentLimits,
    wiring,
};

/// What the settings say.
pub(super) fn app(config: &TicketGeneratorConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let keys = config.tickets.shared_key_ring()?;
    // It touches nothing but tickets; what is in memory costs nothing.
    let urls = Urls {
        tickets: config.tickets_url.clone(),
        ..Urls::default()
    };
    Ok(App {
        keys,
        ports: wiring::ports(&urls, &MemoryLog::default(), &settings)?,
        settings,
        roles: Roles {
            api: false,
            generator: true,
            consumers: 0,
        },
        http: config.http.settings(),
        documents: DocumentLimits::default(),
        telemetry: config.telemetry.settings(),
    })
}
