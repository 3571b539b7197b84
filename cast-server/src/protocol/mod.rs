//! What the wire says, whichever part of the server writes it: codes, paths, the name of a request.
//!
//! Architecture invariant: nothing here imports another part of the server.

pub(crate) mod error_code;
mod http_url;
pub(crate) mod request_id;
mod route;
mod vote_code;

pub(crate) use self::{
    error_code::ErrorCode,
    http_url::{HttpUrl, HttpUrlError},
    request_id::RequestId,
    route::Route,
    vote_code::VoteCode,
};
