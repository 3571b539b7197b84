//! `serve`: everything in one process.

use cast_core::{
    Roles,
    domain::{Entropy, KeyRing},
};

use crate::{
    app::{App, settings},
    config::{ConfigError, ServeConfig},
    process::terminal::{caution, label, note, title},
    wiring,
};

/// The app that the settings describe.
pub(super) fn app(config: &ServeConfig) -> Result<App, ConfigError> {
    let settings = config.settings()?;
    let ports = wiring::ports(&config.urls, &settings)?;
    config.urls.check_log_lasts()?;
    let keys = if config.urls.tickets_are_shared() {
        // A temporary key would not know the tickets that this process left there before a restart.
        config.tickets.shared_key_ring()?
    } else {
        match config.tickets.key_ring()? {
            Some(given) => given,
            None => temporary_key(&*ports.entropy),
        }
    };
    Ok(App {
        keys,
        ports,
        places: wiring::places(&config.urls),
        settings,
        roles: Roles {
            consumers: config.fold.consumers,
            ..Roles::ALL
        },
        http: settings::http(&config.http),
        documents: settings::documents(&config.documents),
        telemetry: settings::telemetry(&config.telemetry),
    })
}

fn temporary_key(entropy: &dyn Entropy) -> KeyRing {
    tracing::info!(
        "generated a temporary ticket key; tickets become invalid when this process exits (set \
         --ticket-secret-file to keep it)"
    );
    KeyRing::generate(entropy)
}

/// What a newcomer needs to know: the URL, where the data is, what bounds the votes, what to try.
pub(super) fn banner(config: &ServeConfig, url: &str) {
    let (bound, uses, period) = ticket_bound(config);
    let data = if config.urls.all_in_memory() {
        let lost = caution("votes are lost when this process ends");
        format!("in memory: {lost}")
    } else {
        config.urls.places().join(", ")
    };
    note(&format!(
        "\n{title}\n\n  {data_label}     {data}\n  {tickets}  at most {bound} votes a second: {uses} \
         votes every {period} (--ticket-uses, --ticket-period)\n  {attempt}      cast-server demo --url \
         {url}\n           cast-server bench --url {url}\n\n",
        title = title(format!("{url}/graphql")),
        data_label = label("data"),
        tickets = label("tickets"),
        attempt = label("try"),
    ));
}

/// The votes a second that tickets allow, the uses of a ticket and its period.
fn ticket_bound(config: &ServeConfig) -> (String, u32, String) {
    let tickets = config.tickets.settings();
    let bound = f64::from(tickets.uses) / tickets.period.as_secs_f64();
    let bound = if bound < 10.0 {
        format!("{bound:.1}")
    } else {
        format!("{bound:.0}")
    };
    let period = humantime::format_duration(tickets.period).to_string();
    (bound, tickets.uses, period)
}
