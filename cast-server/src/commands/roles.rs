//! The commands that listen: `serve` does everything in one process, the others one role of a deployment.

use cast_core::{Ports, Roles, Settings, domain::KeyRing};

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
    let (urls, tickets) = (&config.vote_api.urls, &config.vote_api.tickets);
    let keys = |ports: &Ports| {
        urls.check_log_lasts()?;
        if urls.tickets_are_shared() {
            // A temporary key would not know the tickets that this process left there before a restart.
            return tickets.shared_key_ring();
        }
        Ok(tickets.key_ring()?.unwrap_or_else(|| {
            tracing::info!(
                "generated a temporary ticket key; tickets become invalid when this process exits \
                 (set --ticket-secret-file to keep it)"
            );
            temporary(ports)
        }))
    };
    let roles = Roles {
        consumers: config.fold.consumers,
        ..Roles::ALL
    };
    let process = (&config.vote_api.http, &config.observability);
    Ok(App {
        documents: settings::documents(&config.documents),
        ..app(process, urls, config.settings()?, roles, keys)?
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
        ..app(process, &config.vote_api.urls, checked, roles, |_| Ok(keys))?
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
    app(process, &urls, checked, roles, |_| Ok(keys))
}

/// `vote-consumer`: applies logged votes to the database, and reconciles the counter with it. It never
/// checks a ticket: the secret stays with the roles that do.
pub(super) fn vote_consumer(config: &VoteConsumerConfig) -> Result<App, ConfigError> {
    let urls = Urls {
        votes: config.urls.clone(),
        ..Urls::default()
    };
    let roles = Roles {
        consumers: config.fold.consumers,
        ..NONE
    };
    let process = (&config.http, &config.observability);
    let keys = |ports: &Ports| Ok(temporary(ports));
    app(process, &urls, config.settings()?, roles, keys)
}

const NONE: Roles = Roles {
    api: false,
    generator: false,
    consumers: 0,
};

/// A key ring that no other process has.
fn temporary(ports: &Ports) -> KeyRing {
    KeyRing::generate(&*ports.entropy)
}

/// An app on these servers.
fn app(
    (http, observability): (&HttpConfig, &ObservabilityConfig),
    urls: &Urls,
    checked: Settings,
    roles: Roles,
    keys: impl FnOnce(&Ports) -> Result<KeyRing, ConfigError>,
) -> Result<App, ConfigError> {
    let ports = wiring::ports(urls, &checked)?;
    let keys = keys(&ports)?;
    Ok(App {
        places: wiring::places(urls),
        http: settings::http(http),
        metrics_interval: observability.telemetry.metrics_interval,
        ..App::new(ports, keys, checked, roles)
    })
}
