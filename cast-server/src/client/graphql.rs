//! GraphQL requests and responses.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::connection::{Connection, RequestError};
use crate::protocol::HttpUrl;

/// Where the GraphQL endpoint is, unless the URL of the server has a path.
const PATH: &str = "/graphql";

/// The body of a request.
fn body(query: &str, variables: &Value) -> Bytes {
    let body = json!({"query": query, "variables": variables});
    body.to_string().into()
}

/// Sends a request, and returns the data of the response.
pub(crate) async fn ask<T: DeserializeOwned>(
    connection: &mut Connection<'_>,
    query: &str,
    variables: &Value,
) -> Result<T, NoData> {
    let response = post(connection, body(query, variables)).await?;
    data(response.status(), response.body())
}

/// Sends a GraphQL request; `body` is its JSON.
pub(crate) async fn post(
    connection: &mut Connection<'_>,
    body: Bytes,
) -> Result<Response<Bytes>, RequestError> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(connection.url().path_or(PATH))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        .body(Full::new(body))
        .map_err(|error| RequestError::NotSent(error.to_string()))?;
    connection.send(request).await
}

/// The message for a URL at which there is no CAST server.
pub(crate) fn not_cast(url: &HttpUrl, why: &str) -> String {
    format!("{url}: {why}. Is that a CAST server? The command `serve` starts one")
}

/// A GraphQL response.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(crate) struct GraphqlResponse<T> {
    pub(crate) data: Option<T>,
    #[serde(default)]
    pub(crate) errors: Vec<GraphqlError>,
}

#[derive(Deserialize)]
pub(crate) struct GraphqlError {
    #[serde(default)]
    message: String,
    #[serde(default)]
    pub(crate) extensions: Extensions,
}

#[derive(Default, Deserialize)]
pub(crate) struct Extensions {
    pub(crate) code: Option<String>,
    #[serde(default)]
    retryable: bool,
}

/// A ticket, as `cas` shows it.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cas {
    pub(crate) ticket: String,
    #[serde(default)]
    pub(crate) valid_until: String,
    pub(crate) remaining_usage: u64,
}

/// Why there is no data.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoData {
    /// There is no response.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// An error, with the server's message.
    #[error("it answered {code}: {message}")]
    Error {
        code: String,
        message: String,
        /// Whether the server says that the request may be repeated.
        retryable: bool,
    },
    /// The server is no CAST server.
    #[error("it does not speak the GraphQL of CAST (HTTP {0})")]
    Foreign(u16),
}

impl NoData {
    /// Whether the request may succeed when it is repeated.
    pub(crate) const fn is_transient(&self) -> bool {
        match self {
            // Without a connection, there is no server.
            Self::Request(error) => !matches!(error, RequestError::NotSent(_)),
            Self::Error { retryable, .. } => *retryable,
            Self::Foreign(_) => false,
        }
    }
}

impl From<NoData> for String {
    fn from(why: NoData) -> Self {
        why.to_string()
    }
}

/// The data of a response.
fn data<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, NoData> {
    let foreign = NoData::Foreign(status.as_u16());
    let response: GraphqlResponse<T> = serde_json::from_slice(body).map_err(|_| foreign)?;
    if let Some(data) = response.data {
        return Ok(data);
    }
    let Some(error) = response.errors.into_iter().next() else {
        return Err(NoData::Foreign(status.as_u16()));
    };
    Err(NoData::Error {
        code: error.extensions.code.unwrap_or_else(|| "error".into()),
        message: error.message,
        retryable: error.extensions.retryable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &Value) -> Result<Value, NoData> {
        data(StatusCode::OK, body.to_string().as_bytes())
    }

    #[test]
    fn a_response_is_its_data_or_its_first_error() {
        assert_eq!(read(&json!({"data": {"a": 1}})), Ok(json!({"a": 1})));
        let error = |extensions: Value| {
            let errors = [json!({"message": "m", "extensions": extensions}), json!({})];
            read(&json!({"data": null, "errors": errors})).unwrap_err()
        };
        let overloaded = error(json!({"code": "OVERLOADED", "retryable": true}));
        assert_eq!(overloaded.to_string(), "it answered OVERLOADED: m");
        assert!(overloaded.is_transient());
        assert!(!error(json!({})).is_transient());
    }

    #[test]
    fn a_response_without_data_and_errors_is_foreign() {
        for body in [json!({}), json!([]), json!({"data": null, "errors": []})] {
            assert_eq!(read(&body), Err(NoData::Foreign(200)), "{body}");
        }
        let html = data::<Value>(StatusCode::NOT_FOUND, b"nothing here").unwrap_err();
        assert!(html.to_string().contains("404"), "{html}");
    }
}
