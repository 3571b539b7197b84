//! What a process does: one file a role.
//!
//! | file | does |
//! |---|---|
//! | `serve`, `api`, `ticket_generator`, `vote_consumer` | says what its [`App`] is |
//! | `app`, `process` | run one, from its start to its exit code |
//! | `migrate` | makes tables and topic |
//! | `audit` | compares store, counter and log |
//! | `health` | asks a process how it is |

pub mod api;
pub mod app;
pub mod audit;
pub mod process;
pub mod serve;
pub mod ticket_generator;
pub mod vote_consumer;

pub(crate) mod open_files;
pub(crate) mod signals;

mod health;
mod migrate;

use std::process::ExitCode;

pub use self::app::App;
use crate::cli::Role;

/// The command line or the settings are wrong.
pub const EXIT_USAGE: u8 = 2;

/// Does it.
pub fn run(role: Role) -> ExitCode {
    match role {
        Role::Serve(it) => process::run(&it.log, &it.telemetry, &it.http, || serve::app(&it)),
        Role::Api(it) => process::run(&it.log, &it.telemetry, &it.http, || api::app(&it)),
        Role::TicketGenerator(it) => process::run(&it.log, &it.telemetry, &it.http, || {
            ticket_generator::app(&it)
        }),
        Role::VoteConsumer(it) => {
            process::run(&it.log, &it.telemetry, &it.http, || vote_consumer::app(&it))
        }
        Role::Migrate(it) => migrate::run(&it),
        Role::Audit(it) => audit::run(&it),
        Role::Health(it) => health::run(&it),
        Role::Schema => print(&crate::graphql::sdl()),
        Role::Bench(it) => crate::bench::run(&it),
        Role::Demo(it) => crate::demo::run(&it),
    }
}

/// Writes to standard output. Whoever stopped reading it wants no more.
pub(crate) fn print(text: &str) -> ExitCode {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Says on standard error why it failed.
pub(crate) fn fail(why: &str) -> ExitCode {
    use std::io::Write as _;
    // Where even that cannot be said, the exit code says it.
    let _ = writeln!(std::io::stderr(), "error: {why}");
    ExitCode::FAILURE
}
