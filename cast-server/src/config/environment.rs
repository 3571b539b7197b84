//! The environment: what begins with `CAST_` must be known.

use std::{collections::BTreeSet, ffi::OsStr};

use super::values::{ConfigError, hint};

/// Refuses variables that are no settings: a misspelt one must not be ignored in silence.
pub(crate) fn check<'a>(
    variables: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
    known: &BTreeSet<String>,
) -> Result<(), ConfigError> {
    for (name, value) in variables {
        let name = name.to_string_lossy();
        let is_ours = name.starts_with("CAST_") && !name.starts_with("CAST_TEST_");
        if !is_ours || known.contains(&*name) || is_service_link(&name, &value.to_string_lossy()) {
            continue;
        }
        let hint = hint(&name, known);
        return Err(ConfigError(format!(
            "there is no setting for the environment variable {name}{hint}"
        )));
    }
    Ok(())
}

/// Kubernetes sets variables for the services of a namespace in each container, as Docker's links:
/// a service named `cast` or `cast-api` makes variables that begin like ours.
fn is_service_link(name: &str, value: &str) -> bool {
    const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];
    let is_address = PROTOCOLS
        .iter()
        .any(|p| value.starts_with(&format!("{p}://")));
    let is_port = value.parse::<u16>().is_ok();
    if name.ends_with("_SERVICE_HOST") {
        return true;
    }
    if name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
        return is_port;
    }
    if name.ends_with("_PORT") && is_address {
        return true;
    }
    // CAST_API_PORT_8000_TCP, and the same with _ADDR, _PORT and _PROTO.
    name.match_indices("_PORT_").any(|(at, port)| {
        let rest = &name[at + port.len()..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0
            && PROTOCOLS.iter().any(|p| {
                rest[digits..]
                    .to_ascii_lowercase()
                    .starts_with(&format!("_{p}"))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(name: &str, value: &str) -> Result<(), ConfigError> {
        let known = ["CAST_TICKET_USES", "CAST_LISTEN"].map(String::from).into();
        check([(OsStr::new(name), OsStr::new(value))], &known)
    }

    #[test]
    fn known_variables_and_those_of_others_pass() {
        for name in ["CAST_TICKET_USES", "PATH", "CASTLE", "CAST_TEST_REDIS_URL"] {
            assert_eq!(check_one(name, "x"), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_misspelt_variable_is_refused_with_a_hint() {
        let error = check_one("CAST_TICKET_USE", "5").unwrap_err().to_string();
        assert!(
            error.ends_with("CAST_TICKET_USE: did you mean CAST_TICKET_USES?"),
            "{error}"
        );
        assert!(check_one("CAST_COLOUR", "x").is_err());
    }

    #[test]
    fn the_service_variables_of_kubernetes_pass() {
        for (name, value) in [
            ("CAST_SERVICE_HOST", "10.0.0.1"),
            ("CAST_API_SERVICE_PORT", "8000"),
            ("CAST_API_SERVICE_PORT_HTTP", "8000"),
            ("CAST_API_PORT", "tcp://10.0.0.1:8000"),
            ("CAST_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
            ("CAST_PORT_8000_TCP_PROTO", "tcp"),
            ("CAST_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ] {
            assert_eq!(check_one(name, value), Ok(()), "{name}");
        }
        for (name, value) in [
            ("CAST_LISTEN_PORT", "8000"),
            ("CAST_PORT_TCP", "tcp"),
            ("CAST_SERVICE_PORT", "http"),
        ] {
            assert!(check_one(name, value).is_err(), "{name}");
        }
    }
}
