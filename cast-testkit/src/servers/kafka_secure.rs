//! The listeners of a Kafka that need TLS, with SASL or with a client certificate.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use super::{certificate::self_signed_certificate, places::free_address};

/// Two listeners with TLS, besides the one without.
///
/// The certificates are in the [folder](super::Private::folder) of the server: `broker.crt`, to be
/// trusted by clients, and `client.crt` with `client.key`, which the broker trusts.
#[derive(Clone, Copy, Debug)]
pub struct SecureListeners {
    /// Takes users with a password: SASL with SCRAM-SHA-512 or PLAIN.
    pub sasl: SocketAddr,
    /// Takes clients with a certificate (`ssl.client.auth=required`).
    pub mutual_tls: SocketAddr,
}

impl SecureListeners {
    /// The user that exists for SCRAM-SHA-512 only.
    pub const SCRAM_USER: &str = "scram";
    /// The user that exists for PLAIN only.
    pub const PLAIN_USER: &str = "plain";
    /// The password of both, with characters that a URL must encode.
    pub const PASSWORD: &str = "p@ss/w0rd";

    pub(super) fn free() -> Self {
        Self {
            sasl: free_address(),
            mutual_tls: free_address(),
        }
    }

    /// Fills in what these listeners add to the settings.
    pub(super) fn settings(&self, folder: &Path) -> String {
        include_str!("kafka_secure.properties")
            .replace("{folder}", &folder.display().to_string())
            .replace("{sasl}", &self.sasl.to_string())
            .replace("{mutual_tls}", &self.mutual_tls.to_string())
            .replace("{plain_user}", Self::PLAIN_USER)
            .replace("{password}", Self::PASSWORD)
    }

    /// Creates the certificates, and formats the storage with the SCRAM user. `java` runs the programs
    /// of Kafka.
    pub(super) fn prepare(folder: &Path, mut java: Command, cluster_id: &str) {
        let certificate = self_signed_certificate(folder, "broker");
        self_signed_certificate(folder, "client");
        let read = |path| fs::read_to_string(path).expect("openssl wrote it");
        // Kafka wants the key and its certificate in one file.
        let both = read(certificate.with_extension("key")) + &read(certificate);
        fs::write(folder.join("broker.pem"), both).expect("the folder is ours");

        let (user, password) = (Self::SCRAM_USER, Self::PASSWORD);
        java.args(["kafka.tools.StorageTool", "format"])
            .args(["--cluster-id", cluster_id, "--config"])
            .arg(folder.join("settings"))
            .arg("--add-scram")
            .arg(format!(
                "SCRAM-SHA-512=[name={user},password=\"{password}\"]"
            ));
        let formatted = java.output().expect("java is there");
        assert!(
            formatted.status.success(),
            "the storage of Kafka is not formatted:\n{}{}",
            String::from_utf8_lossy(&formatted.stdout),
            String::from_utf8_lossy(&formatted.stderr)
        );
    }
}
