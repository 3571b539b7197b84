//! Prometheus.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Private,
    blocking::ask,
    kind::Kind,
    places::{free_address, program, random_name},
};

/// What is scraped, as the file is called that says so.
const TARGETS: &str = "targets.json";

/// A Prometheus that looks at everything once a second, and at nothing until it is
/// [configured](Private::scrape).
#[derive(Clone, Debug)]
pub struct Prometheus {
    url: String,
    program: PathBuf,
    address: SocketAddr,
    /// Before each path: no other server answers there.
    prefix: String,
    rules: String,
}

impl Prometheus {
    /// Starts one for this test alone, with a file of rules; `None` if this machine has none.
    ///
    /// # Panics
    ///
    /// With what it said, if it does not understand the rules.
    pub async fn start(rules: &str) -> Option<Private<Self>> {
        Private::start(|| {
            let program = program("prometheus").ok_or("prometheus is not on the PATH")?;
            let (address, prefix) = (free_address(), random_name());
            Ok(Self {
                url: format!("http://{address}/{prefix}"),
                program,
                address,
                prefix,
                rules: rules.to_owned(),
            })
        })
        .await
    }

    /// Where it is, as in `http://127.0.0.1:PORT/PREFIX`; its API is at `/api/v1` behind that.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it answers, head and all.
    fn ask(&self, method: &str, path: &str) -> std::io::Result<String> {
        let Self {
            address, prefix, ..
        } = self;
        let request = format!(
            "{method} /{prefix}{path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\n\
             connection: close\r\n\r\n"
        );
        ask(address, &request)
    }
}

impl Private<Prometheus> {
    /// Makes it scrape these, each `HOST:PORT` with the value of its label `role`, instead of what
    /// there was before.
    pub fn scrape<'a>(&self, targets: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let group = |(role, address): (&str, &str)| {
            format!(r#"{{"targets": ["{address}"], "labels": {{"role": "{role}"}}}}"#)
        };
        let groups: Vec<_> = targets.into_iter().map(group).collect();
        write_targets(self.folder(), &format!("[{}]", groups.join(", ")));
    }
}

/// Written elsewhere first: it looks as soon as the file changes.
fn write_targets(folder: &Path, targets: &str) {
    let draft = folder.join("targets.draft");
    fs::write(&draft, targets).expect("the folder is ours");
    fs::rename(draft, folder.join(TARGETS)).expect("the folder is ours");
}

impl Kind for Prometheus {
    const NAME: &'static str = "Prometheus";
    /// What it remembers is thrown away, so there is nothing to clean up.
    const STOP_SIGNAL: &'static str = "KILL";

    fn prepare(&self, folder: &Path) {
        let config = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n\
             rule_files: [rules.yaml]\n\
             scrape_configs:\n\
             - job_name: cast\n  \
               file_sd_configs: [{files: [targets.json]}]\n";
        let write = |name: &str, text: &str| {
            fs::write(folder.join(name), text).expect("the folder is ours");
        };
        fs::create_dir(folder.join("data")).expect("the folder is ours");
        write("prometheus.yaml", config);
        write("rules.yaml", &self.rules);
        write_targets(folder, "[]");
    }

    fn command(&self, folder: &Path) -> Command {
        let (address, prefix) = (self.address, &self.prefix);
        let mut command = Command::new(&self.program);
        command.current_dir(folder);
        command.arg(format!("--web.listen-address={address}"));
        command.arg(format!("--web.route-prefix=/{prefix}"));
        command.arg("--config.file=prometheus.yaml");
        command.arg("--storage.tsdb.path=data");
        command.arg("--web.enable-admin-api");
        command
    }

    fn is_ready(&self, _folder: &Path, _pid: u32) -> bool {
        let answer = self.ask("GET", "/-/ready");
        answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    fn empty(&self) {
        let everything = "/api/v1/admin/tsdb/delete_series?match[]=%7B__name__!=%22%22%7D";
        let answer = self.ask("POST", everything).unwrap_or_default();
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }
}
