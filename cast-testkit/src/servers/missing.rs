//! What a test does where a server, or another program, is missing.

use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Whether a test without its server fails, by the variable `CI`, as continuous integration sets it. Elsewhere
/// it is skipped.
fn must_run(ci: Option<&str>) -> bool {
    matches!(ci, Some("true" | "1"))
}

/// Says that the test is skipped, or panics where it must not be.
pub(super) fn no_server(name: &str, why: &str) {
    let message = format!("no {name} for this test: {why}; ./test.sh installs what is missing");
    assert!(!must_run(std::env::var("CI").ok().as_deref()), "{message}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not `eprintln!`: the test runner would keep that to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {message}");
}

/// Whether a program that a test is about is there: whether it runs with these arguments, and ends
/// well. If not, the test must end: it is skipped, and that is said, or it panics with `CI=true`.
pub fn has_program(name: &str, args: &[&str]) -> bool {
    let mut command = Command::new(name);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let why = match command.status() {
        Ok(status) if status.success() => return true,
        Ok(status) => format!("with {args:?} it ends with {status}"),
        Err(error) => error.to_string(),
    };
    no_server(name, &why);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_there_if_it_does_what_it_is_asked_for() {
        assert!(has_program("true", &[]));
        // Elsewhere the others are skipped; here that is not possible.
        if must_run(std::env::var("CI").ok().as_deref()) {
            let missing = [
                ("false", "exit status: 1"),
                ("no-such-program", "No such file"),
            ];
            for (name, why) in missing {
                let panic = std::panic::catch_unwind(|| has_program(name, &[])).unwrap_err();
                let message = panic.downcast_ref::<String>().unwrap();
                assert!(message.contains(name) && message.contains(why), "{message}");
            }
        } else {
            assert!(!has_program("false", &[]));
            assert!(!has_program("no-such-program", &[]));
        }
    }

    #[test]
    fn a_laptop_skips_and_continuous_integration_fails() {
        for ci in [None, Some(""), Some("false")] {
            assert!(!must_run(ci), "{ci:?}");
        }
        for ci in ["true", "1"] {
            assert!(must_run(Some(ci)), "{ci}");
        }
    }
}
