//! What the wire says, whichever room writes it: error and vote codes, routes, request ids,
//! connection events.
//!
//! Architecture invariant: a leaf. Nothing here imports another room of the server.

mod connection_event;
pub(crate) mod error_code;
mod http_url;
pub(crate) mod request_id;
mod route;
mod server_places;
mod text_enum;
mod vote_code;

pub use self::server_places::ServerPlaces;
pub(crate) use self::{
    connection_event::ConnectionEvent, error_code::ErrorCode, http_url::HttpUrl,
    request_id::RequestId, route::Route, text_enum::text_enum, vote_code::VoteCode,
};
