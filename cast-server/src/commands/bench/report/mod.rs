//! What a run comes to: text for people, an object for programs, an exit code for scripts.

mod data;
mod histogram;
mod json;
mod text;

pub(super) use self::{data::Report, json::json, text::text};
