//! `vote-consumer`: folds the log into the store, and tells the counter.

use cast_core::{Roles, domain::KeyRing};

use crate::{
    config::{ConfigError, MemoryLog, Urls, VoteConsumerConfig},
    process::App,
    schema::DocumentLimits,
    wiring,
};

/// What the settings say.
pub(super) fn app(config: &VoteConsumerConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let urls = Urls {
        counter: config.counter_url.clone(),
        bus: config.bus_url.clone(),
        store: config.store_url.clone(),
        ..Urls::default()
    };
    let ports = wiring::ports(&urls, &MemoryLog::default(), &settings)?;
    Ok(App {
        // It never sees a ticket: the secret stays with those that do.
        keys: KeyRing::generate(&*ports.entropy),
        ports,
        settings,
        roles: Roles {
            api: false,
            generator: false,
            consumers: config.fold.consumers(),
        },
        http: config.http.settings(),
        documents: DocumentLimits::default(),
        telemetry: config.telemetry.settings(),
    })
}
