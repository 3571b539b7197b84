//! What the paths lead to: GraphQL over HTTP, health, `/metrics`.
//!
//! | file | does |
//! |---|---|
//! | `routes` | which path leads where; a request id on every answer |
//! | `site` | what the paths lead to, as far as it is there yet |
//! | `graphql`, `body`, `negotiation`, `request`, `response` | GraphQL over HTTP |
//! | `health` | `/livez`, `/readyz`, `/healthz` |
//! | `scrape` | `/metrics` |

mod body;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
pub(crate) mod graphql;
pub(crate) mod health;
mod negotiation;
mod request;
mod response;
pub(crate) mod routes;
pub(crate) mod scrape;
pub(crate) mod site;

pub use self::graphql::EndpointSettings;
pub use self::site::Waiting;
