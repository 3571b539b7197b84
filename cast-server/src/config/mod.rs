//! Settings: a flag wins over its environment variable, that over `cast.toml`, that over the
//! default.
//!
//! One struct a concern, each field a flag. The names of the variable (`CAST_TICKET_USES`) and of
//! the file's key (`ticket-uses`) follow from the flag's (`--ticket-uses`), and what the file says
//! goes in as the flag's default: so the order above is clap's own.

mod audit;
mod documents;
mod environment;
mod file;
mod fold;
mod health;
mod http;
mod ingest;
mod log;
mod migrate;
mod roles;
mod tallies;
mod telemetry;
mod tickets;
mod urls;
mod values;

#[cfg(feature = "fuzzing")]
pub(crate) use self::values::size;
pub use self::{
    audit::AuditConfig,
    documents::Documents,
    fold::Folding,
    health::HealthConfig,
    http::Http,
    ingest::IngestConfig,
    log::{Log, LogFormat},
    migrate::{MigrateConfig, Topic},
    roles::{ApiConfig, ServeConfig, TicketGeneratorConfig, VoteConsumerConfig},
    tallies::Tallies,
    telemetry::Telemetry,
    tickets::Tickets,
    urls::{BusUrl, CounterUrl, MemoryLog, StoreUrl, TicketsUrl, Urls},
    values::{PortUrl, Secret},
};
pub(crate) use self::{
    environment::check as check_environment,
    file::File,
    values::{count, duration},
};

/// Settings that cannot work, in a sentence for whoever gave them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// The name of the variable that stands for the flag `--long`.
pub(crate) fn variable_of(long: &str) -> String {
    format!("CAST_{}", long.replace('-', "_").to_ascii_uppercase())
}

/// The known name that is most like `name`, if any is.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, nearest) = known
        .into_iter()
        .map(|known| (distance(name, known), known))
        .min()?;
    (distance <= name.len().max(3) / 3).then_some(nearest)
}

/// How many letters must be changed, added or removed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_if_it_is_near() {
        let known = ["ticket-uses", "ticket-period", "log"];
        assert_eq!(nearest("ticket-use", known), Some("ticket-uses"));
        assert_eq!(nearest("tiket-perod", known), Some("ticket-period"));
        assert_eq!(nearest("lgo", known), None);
        assert_eq!(nearest("replicas", known), None);
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
    }

    #[test]
    fn variables_are_named_after_flags() {
        assert_eq!(variable_of("ticket-uses"), "CAST_TICKET_USES");
    }
}
