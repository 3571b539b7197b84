//! `cast.toml`: the same names as the flags, one a line.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use super::values::{ConfigError, hint};

/// The settings of the file, by the long name of the flag.
#[derive(Debug, Default)]
pub(crate) struct File {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl File {
    /// Reads the file at `path`; or `./cast.toml`, if it is there.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let place = path.unwrap_or(Path::new("cast.toml"));
        match fs::read_to_string(place) {
            Ok(text) => Self::parse(place, &text),
            Err(error) if path.is_none() && error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(ConfigError(format!("{}: {error}", place.display()))),
        }
    }

    /// Reads `text`, the content of the file at `path`.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let at = path.display();
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            // Not the error's own text: it quotes the line, which may hold a secret.
            let before = error.span().map_or(0, |span| span.start);
            let line = text[..before.min(text.len())].matches('\n').count() + 1;
            ConfigError(format!("{at}, line {line}: {}", error.message()))
        })?;
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let value = match value {
                Value::String(text) => text,
                Value::Integer(number) => number.to_string(),
                Value::Float(number) => number.to_string(),
                _ => {
                    let what = format!("{at}: {key} must be a string or a number");
                    return Err(ConfigError(what));
                }
            };
            values.insert(key, value);
        }
        let path = path.to_owned();
        Ok(Self { path, values })
    }

    /// Refuses keys that are no settings.
    pub(crate) fn check(&self, known: &BTreeSet<String>) -> Result<(), ConfigError> {
        let Some(key) = self.values.keys().find(|key| !known.contains(*key)) else {
            return Ok(());
        };
        let (at, hint) = (self.path.display(), hint(key, known));
        Err(ConfigError(format!(
            "{at}: there is no setting {key}{hint}"
        )))
    }

    /// The value of the flag `--long`.
    pub(crate) fn value_of(&self, long: &str) -> Option<&str> {
        self.values.get(long).map(String::as_str)
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, ConfigError> {
        File::parse(Path::new("cast.toml"), text)
    }

    #[test]
    fn strings_and_numbers_are_values() {
        let text = "ticket-uses = 5\nticket-ttl = \"3s\" # long\ntraces-ratio = 0.25\n";
        let file = parse(text).unwrap();
        assert_eq!(file.value_of("ticket-uses"), Some("5"));
        assert_eq!(file.value_of("ticket-ttl"), Some("3s"));
        assert_eq!(file.value_of("traces-ratio"), Some("0.25"));
        assert_eq!(file.value_of("listen"), None);
    }

    #[test]
    fn other_values_are_refused() {
        for text in [
            "listen = true",
            "[tickets]\nuses = 1",
            "a = [1]",
            "a = 1979-05-27",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_names_its_line_and_quotes_nothing() {
        let error = parse("ticket-uses = 5\nticket-secret = \"1:5eC2e7\nlisten = 1").unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("cast.toml, line 2: "), "{error}");
        assert!(!error.contains("5eC2e7"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_a_hint() {
        let known = ["ticket-uses".into(), "listen".into()].into();
        let error = parse("ticket_uses = 5").unwrap().check(&known).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cast.toml: there is no setting ticket_uses: did you mean ticket-uses?"
        );
    }
}
