//! The log in Kafka under faults of its brokers, its topic and its readers.

mod broker;
mod damage;
mod log;
mod mock;
mod readers;
mod refused;
#[path = "../kafka/setting.rs"]
mod setting;
mod topics;
