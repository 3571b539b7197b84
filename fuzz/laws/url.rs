//! The URL of a log or of a store.

use cast_adapters::{kafka::KafkaOptions, postgres::PostgresOptions};

/// The password in the URLs of the corpus.
const PASSWORD: &str = "hunter2";

/// Neither the `Debug` of a URL's options nor an error shows the password.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let output = match text.parse::<KafkaOptions>() {
        Ok(options) => {
            let mut brokers = options.brokers.split(',');
            assert!(brokers.all(|broker| broker.contains(':')));
            assert!(!options.topic.is_empty());
            format!("{options:?}")
        }
        Err(error) => format!("{error} {error:?}"),
    };
    assert_hides_password(&output, text);
    let output = match text.parse::<PostgresOptions>() {
        Ok(options) => format!("{options:?}"),
        Err(error) => format!("{} {error:?}", error.chain()),
    };
    assert_hides_password(&output, text);
}

/// That `output` does not show the password of `url`, unless the same text stands elsewhere in the URL
/// too, or another part is percent-encoded.
fn assert_hides_password(output: &str, url: &str) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((user, host)) = authority.rsplit_once('@') else {
        return;
    };
    let Some((name, password)) = user.split_once(':') else {
        return;
    };
    let mut elsewhere = [scheme, name, host, path].into_iter();
    if elsewhere.any(|part| part.contains(PASSWORD) || part.contains('%')) {
        return;
    }
    if password.contains(PASSWORD) {
        assert!(!output.contains(PASSWORD), "{output}");
    }
}
