//! The log in Kafka when something goes wrong: with its servers, its topic, its readers.

mod broker;
mod damage;
mod log;
mod mock;
mod readers;
mod refused;
#[path = "../kafka/setting.rs"]
mod setting;
mod topics;
