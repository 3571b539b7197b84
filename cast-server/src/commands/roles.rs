//! The commands that listen: `serve` does everything in one process, the others one role of a deployment.

use cast_core::{Roles, Settings, domain::KeyRing};

use crate::{
    app::{App, settings},
    config::{
        ApiConfig, ConfigError, HttpConfig, ObservabilityConfig, ServeConfig,
        TicketGeneratorConfig, Urls, VoteConsumerConfig,
    },
    wiring,
};

/// `serve`: everything in one process.
pub(super) fn serve(config: &ServeConfig) -> Result<App, ConfigError> {
    let checked = config.settings()?;
    let (urls, tickets) = (&config.vote_api.urls, &config.vote_api.tickets);
    urls.check_log_lasts()?;
    let keys = if urls.tickets_are_shared() {
        // A temporary key would not know the tickets that this process left there before a restart.
        Some(tickets.shared_key_ring()?)
    } else {
        tickets.key_ring()?
    };
    let is_temporary = keys.is_none();
    let roles = Roles {
        consumers: config.fold.consumers,
        ..Roles::ALL
    };
    let process = (&config.vote_api.http, &config.observability);
    let app = app(process, urls, keys, checked, roles)?;
    if is_temporary {
        tracing::info!(
            "generated a temporary ticket key; tickets become invalid when this process exits (set \
             --ticket-secret-file to keep it)"
        );
    }
    Ok(App {
        documents: settings::documents(&config.documents),
        ..app
    })
}

/// `api`: accepts votes and shows tallies.
pub(super) fn api(config: &ApiConfig) -> Result<App, ConfigError> {
    let checked = config.settings()?;
    let keys = config.vote_api.tickets.shared_key_ring()?;
    let roles = Roles { api: true, ..NONE };
    let process = (&config.vote_api.http, &config.observability);
    Ok(App {
        documents: settings::documents(&config.documents),
        ..app(process, &config.vote_api.urls, Some(keys), checked, roles)?
    })
}

/// `ticket-generator`: issues a ticket each period; several instances agree on one.
pub(super) fn ticket_generator(config: &TicketGeneratorConfig) -> Result<App, ConfigError> {
    let checked = config.settings()?;
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
    let process = (&config.http, &config.observability);
    app(process, &urls, Some(keys), checked, roles)
}

/// `vote-consumer`: applies logged votes to the database, and reconciles the counter with it. It never
/// checks a ticket: the secret stays with the roles that do.
pub(super) fn vote_consumer(config: &VoteConsumerConfig) -> Result<App, ConfigError> {
    let checked = config.settings()?;
    let urls = Urls {
        votes: config.urls.clone(),
        ..Urls::default()
    };
    let roles = Roles {
        consumers: config.fold.consumers,
        ..NONE
    };
    let process = (&config.http, &config.observability);
    app(process, &urls, None, checked, roles)
}

const NONE: Roles = Roles {
    api: false,
    generator: false,
    consumers: 0,
};

/// An app on these servers; without a key ring, with a temporary key.
fn app(
    (http, observability): (&HttpConfig, &ObservabilityConfig),
    urls: &Urls,
    keys: Option<KeyRing>,
    checked: Settings,
    roles: Roles,
) -> Result<App, ConfigError> {
    let ports = wiring::ports(urls, &checked)?;
    let keys = keys.unwrap_or_else(|| KeyRing::generate(&*ports.entropy));
    Ok(App {
        places: wiring::places(urls),
        http: settings::http(http),
        metrics_interval: observability.telemetry.metrics_interval,
        ..App::new(ports, keys, checked, roles)
    })
}
