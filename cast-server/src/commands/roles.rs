//! The commands that listen: `serve` does everything in one process, the others one role of a deployment.

use cast_core::{Roles, Settings};

use crate::{
    app::{App, settings},
    config::{
        ApiConfig, ConfigError, ProcessConfig, ServeConfig, TicketGeneratorConfig, Urls,
        VoteConsumerConfig,
    },
    wiring,
};

/// `serve`: everything in one process.
pub(super) fn serve(config: &ServeConfig) -> Result<App, ConfigError> {
    let ServeConfig { api, fold } = config;
    let roles = Roles {
        consumers: fold.consumers,
        ..Roles::ALL
    };
    let mut app = app(&api.process, &api.urls, config.settings()?, roles)?;
    api.urls.check_log_lasts()?;
    if api.urls.tickets_are_shared() {
        // A temporary key would not know the tickets that this process left there before a restart.
        app.keys = api.tickets.shared_key_ring()?;
    } else if let Some(given) = api.tickets.key_ring()? {
        app.keys = given;
    } else {
        tracing::info!(
            "generated a temporary ticket key; tickets become invalid when this process exits (set \
             --ticket-secret-file to keep it)"
        );
    }
    app.documents = settings::documents(&api.documents);
    Ok(app)
}

/// `api`: accepts votes and shows tallies.
pub(super) fn api(config: &ApiConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let keys = config.tickets.shared_key_ring()?;
    let roles = Roles { api: true, ..NONE };
    Ok(App {
        keys,
        documents: settings::documents(&config.documents),
        ..app(&config.process, &config.urls, settings, roles)?
    })
}

/// `ticket-generator`: issues a ticket each period; several instances agree on one.
pub(super) fn ticket_generator(config: &TicketGeneratorConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let keys = config.tickets.shared_key_ring()?;
    // It uses the tickets' server alone; the others are in memory, and cost nothing.
    let urls = Urls {
        tickets: config.url.clone(),
        ..Urls::default()
    };
    let roles = Roles {
        generator: true,
        ..NONE
    };
    Ok(App {
        keys,
        ..app(&config.process, &urls, settings, roles)?
    })
}

/// `vote-consumer`: applies logged votes to the database, and reconciles the counter with it. It never
/// checks a ticket: the secret stays with the roles that do.
pub(super) fn vote_consumer(config: &VoteConsumerConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let urls = Urls {
        fold: config.urls.clone(),
        ..Urls::default()
    };
    let roles = Roles {
        consumers: config.fold.consumers,
        ..NONE
    };
    app(&config.process, &urls, settings, roles)
}

const NONE: Roles = Roles {
    api: false,
    generator: false,
    consumers: 0,
};

/// An app on these servers, with a temporary key.
fn app(
    process: &ProcessConfig,
    urls: &Urls,
    settings: Settings,
    roles: Roles,
) -> Result<App, ConfigError> {
    let ports = wiring::ports(urls, &settings)?;
    Ok(App {
        places: wiring::places(urls),
        http: settings::http(&process.http),
        metrics_interval: process.telemetry.metrics_interval,
        ..App::new(ports, settings, roles)
    })
}
