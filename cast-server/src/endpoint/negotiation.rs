//! Content negotiation: the media types of requests and responses.

use http::{HeaderMap, header};

/// The media type of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`, as before the draft: every well-formed request gets a 200.
    Json,
    /// `application/graphql-response+json`: the status says what happened.
    GraphqlResponse,
}

impl MediaType {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }
}

/// The response type that the client prefers; `None` if it accepts neither.
///
/// Without an `Accept`, or with a wildcard, it is `application/json`: clients of the first CAST know
/// nothing else.
pub(super) fn accepted(headers: &HeaderMap) -> Option<MediaType> {
    let mut best: Option<(MediaType, u16)> = None;
    let mut asked = false;
    for value in headers.get_all(header::ACCEPT) {
        asked = true;
        // A header that is not text names no type of ours.
        for range in value.to_str().unwrap_or_default().split(',') {
            let Some((media_type, weight)) = parse_range(range) else {
                continue;
            };
            // Of two with the same weight, the one that was named first.
            if weight > best.map_or(0, |(_, best)| best) {
                best = Some((media_type, weight));
            }
        }
    }
    if asked {
        best.map(|(media_type, _)| media_type)
    } else {
        Some(MediaType::Json)
    }
}

/// The response type that a media range allows, with its weight in thousandths.
fn parse_range(range: &str) -> Option<(MediaType, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?;
    let media_type = if name.eq_ignore_ascii_case("application/graphql-response+json") {
        MediaType::GraphqlResponse
    } else if ["application/json", "application/*", "*/*"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
    {
        MediaType::Json
    } else {
        return None;
    };
    let mut weight = 1_000;
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name.eq_ignore_ascii_case("q") {
            weight = parse_weight(value)?;
        } else if name.eq_ignore_ascii_case("charset") && !is_utf_8(value) {
            return None;
        }
    }
    Some((media_type, weight))
}

/// `0`, `0.5`, `1.000`: at most three digits behind the point.
fn parse_weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction_is_fine = fraction.len() <= 3 && fraction.bytes().all(|b| b.is_ascii_digit());
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" if fraction_is_fine => Some(thousandths),
        "1" if fraction_is_fine && thousandths == 0 => Some(1_000),
        _ => None,
    }
}

/// Whether a body is JSON in UTF-8.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return false;
    };
    if value == "application/json" {
        return true;
    }
    let Ok(text) = value.to_str() else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => is_utf_8(value),
            _ => true,
        })
}

fn is_utf_8(charset: &str) -> bool {
    let charset = charset.trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn accept(values: &[&str]) -> Option<MediaType> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        accepted(&headers)
    }

    #[test]
    fn without_accept_or_with_a_wildcard_the_response_is_json() {
        for values in [
            &[][..],
            &["*/*"],
            &["application/*"],
            &["text/html, */*;q=0.8"],
        ] {
            assert_eq!(accept(values), Some(MediaType::Json), "{values:?}");
        }
    }

    #[test]
    fn the_highest_weight_wins_and_then_the_first() {
        let graphql = "application/graphql-response+json";
        for (value, media_type) in [
            (
                format!("{graphql}, application/json"),
                MediaType::GraphqlResponse,
            ),
            (format!("application/json, {graphql}"), MediaType::Json),
            (
                format!("application/json;q=0.9, {graphql}"),
                MediaType::GraphqlResponse,
            ),
            (format!("{graphql};q=0.5, */*;q=0.501"), MediaType::Json),
            (
                format!("{graphql}; charset=utf-8"),
                MediaType::GraphqlResponse,
            ),
            (
                format!("{graphql}; charset=latin1, application/json;q=0.1"),
                MediaType::Json,
            ),
        ] {
            assert_eq!(accept(&[&value]), Some(media_type), "{value}");
        }
        let apart = accept(&["text/html", graphql]);
        assert_eq!(apart, Some(MediaType::GraphqlResponse));
    }

    #[test]
    fn an_accept_without_a_type_of_ours_is_not_acceptable() {
        for value in [
            "text/html",
            "application/json;q=0",
            "application/xml, image/*",
            "",
        ] {
            assert_eq!(accept(&[value]), None, "{value}");
        }
    }

    #[test]
    fn only_json_in_utf_8_is_accepted() {
        let is_json = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
            is_json(&headers)
        };
        for value in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert!(is_json(value), "{value}");
        }
        for value in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=utf-16",
            "application/jsonp",
            "",
        ] {
            assert!(!is_json(value), "{value}");
        }
        assert!(!super::is_json(&HeaderMap::new()));
    }
}
