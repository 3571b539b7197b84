//! What a test does where a server is missing.

use std::io::Write;

/// What becomes of a test without its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WithoutServer {
    Skip,
    Fail,
}

impl WithoutServer {
    /// Decides by the variable `CI`, as continuous integration sets it.
    fn under(ci: Option<&str>) -> Self {
        match ci {
            Some("true" | "1") => Self::Fail,
            _ => Self::Skip,
        }
    }
}

/// Says that the test is skipped, or panics where it must not be.
pub(super) fn no_server(name: &str, why: &str) {
    let message = format!("no {name} for this test: {why}; ./test.sh installs what is missing");
    match WithoutServer::under(std::env::var("CI").ok().as_deref()) {
        WithoutServer::Fail => panic!("{message}"),
        WithoutServer::Skip => {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Not `eprintln!`: the test runner would keep that to itself.
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {message}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laptop_skips_and_continuous_integration_fails() {
        assert_eq!(WithoutServer::under(None), WithoutServer::Skip);
        assert_eq!(WithoutServer::under(Some("")), WithoutServer::Skip);
        assert_eq!(WithoutServer::under(Some("false")), WithoutServer::Skip);
        assert_eq!(WithoutServer::under(Some("true")), WithoutServer::Fail);
        assert_eq!(WithoutServer::under(Some("1")), WithoutServer::Fail);
    }
}
