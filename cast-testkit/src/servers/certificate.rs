//! Certificates of servers and clients.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
};

/// Creates a self-signed certificate for `127.0.0.1`, `NAME.crt`, and its key, `NAME.key`, as the owner
/// of the folder. Returns the path of the certificate.
///
/// # Panics
///
/// If the program openssl is missing or fails.
pub fn self_signed_certificate(folder: &Path, name: &str) -> PathBuf {
    let (key, certificate) = (
        folder.join(format!("{name}.key")),
        folder.join(format!("{name}.crt")),
    );
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=cast"])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap_or_else(|e| panic!("cannot run openssl: {e}"));
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let owner = fs::metadata(folder).expect("it is there");
    for file in [&key, &certificate] {
        fs::set_permissions(file, Permissions::from_mode(0o600)).expect("it is ours");
        chown(file, Some(owner.uid()), Some(owner.gid())).expect("it is ours to give away");
    }
    certificate
}
