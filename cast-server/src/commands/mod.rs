//! What a process does: one file a command.

pub mod cli;

mod api;
mod audit;
pub mod bench;
mod consumer;
pub mod demo;
mod generator;
mod health;
mod migrate;
mod schema;
mod serve;

use std::process::ExitCode;

use self::cli::Role;
use crate::process::run::run as process;

/// Does it.
pub fn run(role: Role) -> ExitCode {
    match role {
        Role::Serve(it) => process(&it.log, &it.telemetry, &it.http, || serve::app(&it)),
        Role::Api(it) => process(&it.log, &it.telemetry, &it.http, || api::app(&it)),
        Role::TicketGenerator(it) => {
            process(&it.log, &it.telemetry, &it.http, || generator::app(&it))
        }
        Role::VoteConsumer(it) => process(&it.log, &it.telemetry, &it.http, || consumer::app(&it)),
        Role::Migrate(it) => migrate::run(&it),
        Role::Audit(it) => audit::run(&it),
        Role::Health(it) => health::run(&it),
        Role::Schema => schema::run(),
        Role::Bench(it) => bench::run(&it),
        Role::Demo(it) => demo::run(&it),
    }
}
