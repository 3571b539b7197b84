//! The commands that listen: `serve` does everything in one process, the others one role of a deployment.

use cast_core::{Roles, Settings, domain::KeyRing};

use crate::{
    app::{App, Closing, Failure, settings},
    config::{
        ApiConfig, HttpConfig, ObservabilityConfig, ServeConfig, TicketGeneratorConfig, Urls,
        VoteConsumerConfig,
    },
    wiring::{self, Wired},
};

/// `serve`: everything in one process.
pub(super) fn serve(config: &ServeConfig) -> Result<App, Failure> {
    let (urls, tickets) = (&config.urls()?, &config.vote_api.tickets);
    let keys = |wired: &Wired| {
        urls.check_log_lasts()?;
        if urls.tickets_are_shared() {
            // A temporary key would not know the tickets that this process left there before a restart.
            return Ok(tickets.shared_key_ring()?);
        }
        let entropy = &*wired.ports.entropy;
        match (tickets.key_ring()?, &wired.data) {
            (Some(keys), _) => Ok(keys),
            (None, Some(data)) => Ok(data.key_ring(entropy)?),
            (None, None) => {
                tracing::info!(
                    "generated a temporary ticket key; tickets become invalid when this process \
                     exits (set --ticket-secret-file to keep it)"
                );
                Ok(KeyRing::generate(entropy))
            }
        }
    };
    let roles = Roles {
        consumers: config.fold.consumers,
        ..Roles::ALL
    };
    let process = (&config.vote_api.http, &config.observability);
    let prepare = |wired: &mut Wired| {
        if let (Some(data), Some(age)) = (&mut wired.data, config.data.log_retention) {
            data.drop_older_than(age);
        }
        keys(wired)
    };
    Ok(App {
        documents: settings::documents(&config.documents),
        ..app(process, urls, config.settings()?, roles, prepare)?
    })
}

/// `api`: accepts votes and shows tallies.
pub(super) fn api(config: &ApiConfig) -> Result<App, Failure> {
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
pub(super) fn ticket_generator(config: &TicketGeneratorConfig) -> Result<App, Failure> {
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
pub(super) fn vote_consumer(config: &VoteConsumerConfig) -> Result<App, Failure> {
    let urls = Urls {
        votes: config.urls.clone(),
        ..Urls::default()
    };
    let roles = Roles {
        consumers: config.fold.consumers,
        ..NONE
    };
    let process = (&config.http, &config.observability);
    // A key ring that no other process has.
    let keys = |wired: &mut Wired| Ok(KeyRing::generate(&*wired.ports.entropy));
    app(process, &urls, config.settings()?, roles, keys)
}

const NONE: Roles = Roles {
    api: false,
    generator: false,
    consumers: 0,
};

/// An app on these servers, with the key ring that `prepare` returns.
fn app(
    (http, observability): (&HttpConfig, &ObservabilityConfig),
    urls: &Urls,
    checked: Settings,
    roles: Roles,
    prepare: impl FnOnce(&mut Wired) -> Result<KeyRing, Failure>,
) -> Result<App, Failure> {
    let mut wired = wiring::wire(urls, &checked)?;
    let keys = prepare(&mut wired)?;
    let Wired { ports, data } = wired;
    Ok(App {
        places: wiring::places(urls),
        http: settings::http(http),
        metrics_interval: observability.telemetry.metrics_interval,
        closing: data.map(|data| Box::pin(data.close()) as Closing),
        ..App::new(ports, keys, checked, roles)
    })
}
