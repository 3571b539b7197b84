//! The servers of a process, by the names that checks have.

/// The host of each server, by the name of its check: `store` is at `postgres://db:5432`.
#[derive(Clone, Debug, Default)]
pub struct ServerPlaces(Vec<(&'static str, String)>);

impl ServerPlaces {
    /// From pairs of a check's name and its server's scheme and host.
    pub fn new(places: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self(places.into_iter().collect())
    }

    /// A check's name, with the place of its server where it has one.
    pub(crate) fn label(&self, name: &str) -> String {
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((_, place)) => format!("{name} ({place})"),
            None => name.to_owned(),
        }
    }
}
