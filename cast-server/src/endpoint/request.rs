//! The parameters of a GraphQL request, from a body or a query string.

use std::borrow::Cow;

use async_graphql::Variables;
use serde::{Deserialize, Deserializer};

/// The parameters of a request. Others are ignored, `extensions` among them.
#[derive(Debug, Deserialize)]
pub(super) struct Parameters<'a> {
    /// The document. A text without escapes is borrowed from the body.
    #[serde(borrow)]
    pub(super) query: Cow<'a, str>,
    /// Which of its operations to execute; an empty name is the same as none.
    #[serde(borrow, rename = "operationName", default, deserialize_with = "name")]
    pub(super) operation_name: Option<Cow<'a, str>>,
    /// Variables; those that the operation does not declare are ignored.
    #[serde(default)]
    pub(super) variables: Variables,
}

/// Serde borrows a `Cow` inside an `Option` only behind a type of its own.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    let name = Option::<Text<'de>>::deserialize(deserializer)?.map(|text| text.0);
    Ok(name.filter(|name| !name.is_empty()))
}

/// Why a request could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It is not JSON, or a list of requests.
    Syntax(String),
    /// It is JSON, but not a GraphQL request.
    Form(String),
}

impl<'a> Parameters<'a> {
    /// Reads a body.
    pub(super) fn from_json(body: &'a [u8]) -> Result<Self, Malformed> {
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'[') => return Err(Malformed::Syntax("batches are not supported".into())),
            Some(b'{') | None => {}
            // serde's own message for a string or a number would be about maps and sequences.
            Some(_) if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() => {
                return Err(Malformed::Form("the request must be a JSON object".into()));
            }
            Some(_) => {}
        }
        serde_json::from_slice(body).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            // serde's message may quote the request: it is sent to the client, and never logged.
            match error.classify() {
                serde_json::error::Category::Data => Malformed::Form(error.to_string()),
                _ => Malformed::Syntax(format!("the body is not JSON ({place})")),
            }
        })
    }
}

/// The parameters of a GET, as the query string holds them.
#[derive(Debug, Deserialize)]
pub(super) struct QueryString {
    query: String,
    #[serde(rename = "operationName", default)]
    operation_name: Option<String>,
    /// JSON in a string.
    #[serde(default)]
    variables: Option<String>,
}

impl QueryString {
    pub(super) fn parameters(&self) -> Result<Parameters<'_>, Malformed> {
        let variables = match self.variables.as_deref() {
            None | Some("") => Variables::default(),
            Some(json) => serde_json::from_str(json)
                .map_err(|_| Malformed::Form("variables must be a JSON object".into()))?,
        };
        let operation_name = self.operation_name.as_deref();
        Ok(Parameters {
            query: Cow::Borrowed(&self.query),
            operation_name: operation_name
                .filter(|name| !name.is_empty())
                .map(Cow::Borrowed),
            variables,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Parameters<'_>, Malformed> {
        Parameters::from_json(body.as_bytes())
    }

    #[test]
    fn only_the_document_is_required_and_unknown_fields_are_ignored() {
        let request = parse(r#"{"query":"{cas{ticket}}"}"#).unwrap();
        assert!(matches!(request.query, Cow::Borrowed("{cas{ticket}}")));
        assert_eq!(request.operation_name.as_deref(), None);
        assert!(request.variables.is_empty());
        let request = parse(
            r#" {"query":"x","operationName":null,"variables":null,"extensions":{"a":[1]},"id":7}"#,
        );
        assert!(request.is_ok());
        let request =
            parse(r#"{"query":"a\nb","operationName":"A","variables":{"n":18446744073709551615}}"#);
        let request = request.unwrap();
        assert_eq!(
            (&*request.query, request.operation_name.as_deref()),
            ("a\nb", Some("A"))
        );
        assert_eq!(request.variables.len(), 1);
    }

    #[test]
    fn syntax_errors_are_distinguished_from_json_of_another_form() {
        for body in [
            "",
            "{",
            "NONSENSE",
            "{\"query\":",
            "{\"query\":\"\u{1}\"}",
            "{} {}",
        ] {
            assert!(
                matches!(parse(body), Err(Malformed::Syntax(_) | Malformed::Form(_))),
                "{body}"
            );
        }
        for body in [
            "{}",
            "7",
            "\"{cas{ticket}}\"",
            r#"{"qeury":"{__typename}"}"#,
            r#"{"query":null}"#,
            r#"{"query":["x"]}"#,
            r#"{"query":"x","variables":[7]}"#,
            r#"{"query":"x","variables":"{}"}"#,
            r#"{"query":"x","operationName":7}"#,
        ] {
            assert!(matches!(parse(body), Err(Malformed::Form(_))), "{body}");
        }
        let batch = parse(r#"["{cas{ticket}}"]"#).unwrap_err();
        assert_eq!(batch, Malformed::Syntax("batches are not supported".into()));
        assert!(matches!(
            Parameters::from_json(b"{\"query\":\"\xFF\"}"),
            Err(Malformed::Syntax(_) | Malformed::Form(_))
        ));
    }

    #[test]
    fn deeply_nested_json_is_refused() {
        let deep = format!(r#"{{"query":"x","variables":{{"a":{}"#, "[".repeat(10_000));
        assert!(parse(&deep).is_err());
    }
}
