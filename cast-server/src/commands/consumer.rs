//! `vote-consumer`: applies logged votes to the database, and reconciles the counter with it.

use cast_core::{Roles, domain::KeyRing};

use crate::{
    app::{App, settings},
    config::{ConfigError, Urls, VoteConsumerConfig},
    schema::DocumentLimits,
    wiring,
};

/// The app that the settings describe.
pub(super) fn app(config: &VoteConsumerConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let urls = Urls {
        counter: config.counter_url.clone(),
        bus: config.bus_url.clone(),
        store: config.store_url.clone(),
        ..Urls::default()
    };
    let ports = wiring::ports(&urls, &settings)?;
    Ok(App {
        // It never checks a ticket: the secret stays with the roles that do.
        keys: KeyRing::generate(&*ports.entropy),
        ports,
        places: wiring::places(&urls),
        settings,
        roles: Roles {
            api: false,
            generator: false,
            consumers: config.fold.consumers,
        },
        http: settings::http(&config.http),
        documents: DocumentLimits::default(),
        telemetry: settings::telemetry(&config.telemetry),
    })
}
