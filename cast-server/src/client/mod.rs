//! An HTTP client, for commands that talk to a server from outside: [`bench`](mod@crate::commands::bench),
//! [`demo`](crate::commands::demo), `health`; and for sending traces.
//!
//! | file | holds |
//! |---|---|
//! | `connection` | HTTP/1.1, kept alive, one request at a time |
//! | `graphql` | GraphQL requests and responses |

mod connection;
mod graphql;

pub(crate) use self::{
    connection::{Connection, RequestError},
    graphql::{Cas, GraphqlError, GraphqlResponse, NoData, ask, not_cast, post},
};

/// Where `serve` listens by default.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:8000";
