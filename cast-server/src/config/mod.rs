//! Settings: a flag wins over its environment variable, that over `cast.toml`, that over the
//! default.
//!
//! One struct a file and a concern, each field a flag. The names of the variable
//! (`CAST_TICKET_USES`) and of the file's key (`ticket-uses`) follow from the flag's
//! (`--ticket-uses`), and the values of the file become the flags' defaults: so the order above is
//! clap's own. docs/SETTINGS.md lists them all, and is written from the same source as `--help`.
//!
//! Architecture invariant: plain data. Nothing here imports another part of the server but the
//! leaf `protocol`, so any of them may be configured without the others.

mod api;
mod audit;
mod check;
mod consumer;
mod data;
mod documents;
mod environment;
mod file;
mod fold;
mod generator;
mod health;
mod http;
mod ingest;
mod log;
mod migrate;
mod observability;
mod serve;
mod sources;
mod tallies;
mod telemetry;
mod tickets;
mod urls;
mod values;
mod vote_api;

#[cfg(test)]
pub(crate) use self::values::variable_of;
pub use self::{
    api::ApiConfig,
    audit::AuditConfig,
    consumer::VoteConsumerConfig,
    data::{
        BackupConfig, CheckConfig, DataConfig, ExportConfig, ExportFormat, Exported, FolderConfig,
        MoveConfig, RestoreConfig,
    },
    documents::DocumentConfig,
    fold::FoldConfig,
    generator::TicketGeneratorConfig,
    health::HealthConfig,
    http::HttpConfig,
    ingest::IngestConfig,
    log::{LogConfig, LogFormat},
    migrate::{MigrateConfig, TopicConfig},
    observability::ObservabilityConfig,
    serve::ServeConfig,
    sources::{Usage, is_setting_of},
    tallies::TallyConfig,
    telemetry::TelemetryConfig,
    tickets::TicketConfig,
    urls::{BusUrl, CounterUrl, StoreUrl, TicketsUrl, Urls, VoteUrls},
    values::{ConfigError, PortUrl, Secret},
    vote_api::VoteApiConfig,
};
pub(crate) use self::{
    sources::{matches, with_variables},
    values::{count, duration, share},
};
