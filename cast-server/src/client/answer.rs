//! What a GraphQL answer says.

use http::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};

/// A GraphQL answer.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(crate) struct Answer<T> {
    pub(crate) data: Option<T>,
    #[serde(default)]
    pub(crate) errors: Vec<AnswerError>,
}

#[derive(Deserialize)]
pub(crate) struct AnswerError {
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

/// Why an answer holds no data.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoData {
    /// An error, in the server's words.
    #[error("it answered {code}: {message}")]
    Error {
        code: String,
        message: String,
        /// As it says.
        retryable: bool,
    },
    /// Whoever answers like this is no CAST.
    #[error("it does not speak the GraphQL of CAST (HTTP {0})")]
    Foreign(u16),
}

impl NoData {
    /// Whether the same may be asked again.
    pub(crate) const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Error {
                retryable: true,
                ..
            }
        )
    }
}

impl From<NoData> for String {
    fn from(why: NoData) -> Self {
        why.to_string()
    }
}

/// The data of an answer.
pub(crate) fn data<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, NoData> {
    let foreign = NoData::Foreign(status.as_u16());
    let answer: Answer<T> = serde_json::from_slice(body).map_err(|_| foreign)?;
    if let Some(data) = answer.data {
        return Ok(data);
    }
    let Some(error) = answer.errors.into_iter().next() else {
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
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &Value) -> Result<Value, NoData> {
        data(StatusCode::OK, body.to_string().as_bytes())
    }

    #[test]
    fn an_answer_is_its_data_or_its_first_error() {
        assert_eq!(read(&json!({"data": {"a": 1}})), Ok(json!({"a": 1})));
        let error = |extensions: Value| {
            let errors = [json!({"message": "m", "extensions": extensions}), json!({})];
            read(&json!({"data": null, "errors": errors})).unwrap_err()
        };
        let told = error(json!({"code": "OVERLOADED", "retryable": true}));
        assert_eq!(told.to_string(), "it answered OVERLOADED: m");
        assert!(told.is_retryable());
        assert!(!error(json!({})).is_retryable());
    }

    #[test]
    fn what_is_neither_is_foreign() {
        for body in [json!({}), json!([]), json!({"data": null, "errors": []})] {
            assert_eq!(read(&body), Err(NoData::Foreign(200)), "{body}");
        }
    }
}
