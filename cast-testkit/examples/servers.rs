//! Starts Redis, Apache Kafka and `PostgreSQL` on free ports, for a CAST of several processes on
//! this machine, and prints the settings that name them. They end, with all that they hold, when
//! standard input does, or with Ctrl-C.
//!
//! ```text
//! ./test.sh --no-run    # makes sure that the servers are installed
//! cargo run -p cast-testkit --features servers --example servers > servers.env
//! ```
//!
//! With `--durable` they write to disk before they answer, as they would in production.
#![expect(clippy::print_stdout, reason = "its result goes there")]
#![expect(clippy::print_stderr, reason = "its result may go to a file")]

use cast_testkit::servers::{Kafka, Mode, Postgres, Redis, random_name};
use tokio::io::AsyncReadExt as _;

#[tokio::main]
async fn main() {
    let durable = std::env::args().any(|argument| argument == "--durable");
    let mode = if durable { Mode::Durable } else { Mode::Quick };
    let (redis, kafka, postgres) = tokio::join!(
        Redis::start_as(mode),
        Kafka::start_as(mode),
        Postgres::start_as(mode)
    );
    // What is missing was said already.
    let (Some(redis), Some(kafka), Some(postgres)) = (redis, kafka, postgres) else {
        std::process::exit(1);
    };
    let database = postgres.create_database().await;
    println!("export CAST_TICKETS_URL={}", redis.url());
    println!("export CAST_COUNTER_URL={}", redis.url());
    println!("export CAST_BUS_URL='{}'", kafka.url(&random_name()));
    println!("export CAST_STORE_URL='{}'", database.url());
    eprintln!("Redis, Kafka and PostgreSQL are ready; Ctrl-C ends them");
    until_interrupted().await;
}

async fn until_interrupted() {
    let mut stdin = tokio::io::stdin();
    let mut nothing = [0; 64];
    let ended = async { while matches!(stdin.read(&mut nothing).await, Ok(1..)) {} };
    tokio::select! {
        () = ended => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
