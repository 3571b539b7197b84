//! Apache Kafka: one node, broker and controller in one.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    Mode, Private, Proxy,
    blocking::blocking,
    kafka_secure::SecureListeners,
    kafka_wire as wire,
    kind::{Kind, Sharable},
    places::{copy_files, free_address, program, random_name},
    url,
};
use crate::eventually;

/// Names the folder that `.ci/install-test-servers` puts Kafka into.
const FOLDER_VARIABLE: &str = "CAST_TEST_SERVERS_DIR";

/// How long a change of topics may take until all clients see it.
const CHANGE_DEADLINE: Duration = Duration::from_secs(30);

/// A Kafka that can be reached.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// What clients are given: the node, or the proxy before it.
    brokers: String,
    /// Unknown, and not needed, of one that a variable names.
    own: Option<Own>,
}

#[derive(Clone, Debug)]
struct Own {
    java: PathBuf,
    installed: PathBuf,
    listen: SocketAddr,
    controller: SocketAddr,
    /// Distinguishes it from another server that might listen there.
    cluster_id: String,
    mode: Mode,
    secure: Option<SecureListeners>,
}

impl Kafka {
    /// Starts one for this test alone; `None` if this machine has none.
    pub async fn start() -> Option<Private<Self>> {
        Self::start_as(Mode::Quick).await
    }

    /// Starts one for this test alone, as careful as that; `None` if this machine has none.
    pub async fn start_as(mode: Mode) -> Option<Private<Self>> {
        Private::start(|| Self::place(mode)).await
    }

    /// Starts one for this test alone, with all its clients behind a proxy.
    ///
    /// A client of Kafka connects to where the broker says that it is, so it takes more than
    /// [`Proxy::before`]: the broker must know its proxy.
    pub async fn start_behind_proxy() -> Option<(Private<Self>, Proxy)> {
        let listen = free_address();
        let proxy = Proxy::to(listen.to_string()).await;
        let advertised = proxy.address().to_string();
        let kafka = Private::start(|| Self::place_at(listen, &advertised, Mode::Quick)).await?;
        Some((kafka, proxy))
    }

    /// Starts one for this test alone, which has [`secure_listeners`](Self::secure_listeners) too; `None`
    /// if this machine has none.
    pub async fn start_secure() -> Option<Private<Self>> {
        let place = || {
            program("openssl").ok_or("openssl is not on the PATH")?;
            let mut kafka = Self::place(Mode::Quick)?;
            if let Some(own) = &mut kafka.own {
                own.secure = Some(SecureListeners::free());
            }
            Ok(kafka)
        };
        Private::start(place).await
    }

    fn place_at(listen: SocketAddr, brokers: &str, mode: Mode) -> Result<Self, String> {
        let java = program("java").ok_or("java is not on the PATH")?;
        let installed = installed_servers().join("kafka");
        // Laid there when all the rest was.
        if !installed.join("pom.xml").is_file() {
            return Err(format!("nothing is installed in {}", installed.display()));
        }
        let own = Own {
            java,
            installed,
            listen,
            controller: free_address(),
            cluster_id: random_name(),
            mode,
            secure: None,
        };
        Ok(Self {
            brokers: brokers.to_owned(),
            own: Some(own),
        })
    }

    /// `127.0.0.1:PORT`, or what `CAST_TEST_KAFKA_URL` says: for a driver's `bootstrap.servers`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The listeners that need TLS.
    ///
    /// # Panics
    ///
    /// If it was not started by [`start_secure`](Self::start_secure).
    pub fn secure_listeners(&self) -> SecureListeners {
        let secure = self.own().secure;
        secure.expect("it was started with such listeners")
    }

    /// `kafka://127.0.0.1:PORT/TOPIC`, for a topic that need not be there.
    pub fn url(&self, topic: &str) -> String {
        format!("kafka://{}/{topic}", self.brokers)
    }

    /// A new topic, with a leader for each of its partitions; deleted with what is returned.
    pub async fn create_topic(&self, partitions: u16) -> Topic {
        let name = random_name();
        let (broker, topic) = (self.direct(), name.clone());
        self.change(move || wire::create_topic(&broker, &topic, partitions.into()))
            .await;
        let kafka = self.clone();
        let topic = Topic { name, kafka };
        topic.until_partitions(partitions).await;
        topic
    }

    async fn change(&self, change: impl FnOnce() -> std::io::Result<()> + Send + 'static) {
        let changed = blocking(change).await;
        changed.unwrap_or_else(|e| panic!("Kafka at {}: {e}", self.brokers));
    }

    /// A broker, past the proxy.
    fn direct(&self) -> String {
        let first = self.brokers.split(',').next().unwrap_or_default();
        self.own
            .as_ref()
            .map_or_else(|| first.to_owned(), |own| own.listen.to_string())
    }

    fn own(&self) -> &Own {
        self.own.as_ref().expect("only servers of our own are run")
    }
}

/// A topic for one test.
#[derive(Debug)]
pub struct Topic {
    name: String,
    kafka: Kafka,
}

impl Topic {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `kafka://127.0.0.1:PORT/TOPIC`.
    pub fn url(&self) -> String {
        self.kafka.url(&self.name)
    }

    /// Gives it more partitions: so many in all.
    pub async fn grow(&self, partitions: u16) {
        let (broker, name) = (self.kafka.direct(), self.name.clone());
        let grow = move || wire::create_partitions(&broker, &name, partitions.into());
        self.kafka.change(grow).await;
        self.until_partitions(partitions).await;
    }

    async fn until_partitions(&self, partitions: u16) {
        let what = format_args!("{partitions} partitions of {}", self.name).to_string();
        eventually(CHANGE_DEADLINE, what, || {
            let (broker, name) = (self.kafka.direct(), self.name.clone());
            blocking(move || {
                let topics = wire::metadata(&broker).ok()?.topics;
                let topic = topics.into_iter().find(|topic| topic.name == name)?;
                (topic.partitions_led == usize::from(partitions)).then_some(())
            })
        })
        .await;
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // The server may be gone, and the topic with it.
        let _ = wire::delete_topic(&self.kafka.direct(), &self.name);
    }
}

impl Sharable for Kafka {
    const URL_VARIABLE: &'static str = "CAST_TEST_KAFKA_URL";

    fn place(mode: Mode) -> Result<Self, String> {
        let listen = free_address();
        Self::place_at(listen, &listen.to_string(), mode)
    }

    fn named(url: &str) -> Self {
        Self {
            brokers: url::address(url).to_owned(),
            own: None,
        }
    }
}

impl Own {
    /// Copies the formatted storage, which takes less time than to format one.
    fn copy_formatted(&self, data: &Path) {
        copy_files(&self.installed.join("formatted"), data).expect("it was formatted");
        // The one thing that differs from cluster to cluster.
        let properties = data.join("meta.properties");
        let formatted = fs::read_to_string(&properties).expect("formatting wrote it");
        let ours = formatted.lines().map(|line| match line.split_once('=') {
            Some(("cluster.id", _)) => format!("cluster.id={}\n", self.cluster_id),
            _ => format!("{line}\n"),
        });
        fs::write(properties, ours.collect::<String>()).expect("the folder is ours");
    }

    /// Java, with the classes of Kafka, in a folder.
    fn java(&self, folder: &Path) -> Command {
        let mut java = Command::new(&self.java);
        match self.mode {
            // Compiled quickly, not well: a broker lives for seconds here.
            Mode::Quick => java.args(["-Xmx512m", "-XX:TieredStopAtLevel=1"]),
            Mode::Durable => java.arg("-Xmx1g"),
        };
        let classes = self.installed.join("classes.jsa");
        if classes.is_file() {
            java.arg(format!("-XX:SharedArchiveFile={}", classes.display()));
        }
        // What Java leaves behind when it is killed, it shall leave in the folder, or not at all.
        java.arg(format!("-Djava.io.tmpdir={}", folder.display()));
        java.arg("-XX:-UsePerfData");
        java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
        java.arg("-Dorg.slf4j.simpleLogger.showDateTime=true");
        java.arg("-cp").arg(self.installed.join("libs/*"));
        java.current_dir(folder);
        java
    }
}

impl Kind for Kafka {
    const NAME: &'static str = "Kafka";
    /// An orderly end takes its time, and leaves nothing less behind.
    const STOP_SIGNAL: &'static str = "KILL";

    fn prepare(&self, folder: &Path) {
        let own = self.own();
        let mut settings = include_str!("kafka.properties").to_owned();
        if let Some(secure) = &own.secure {
            settings.push_str(&secure.settings(folder));
        }
        let data = folder.join("data");
        let settings = settings
            .replace("{data}", &data.display().to_string())
            .replace("{listen}", &own.listen.to_string())
            .replace("{controller}", &own.controller.to_string())
            .replace("{advertised}", &self.brokers);
        fs::write(folder.join("settings"), settings).expect("the folder is ours");
        if own.secure.is_some() {
            SecureListeners::prepare(folder, own.java(folder), &own.cluster_id);
        } else {
            own.copy_formatted(&data);
        }
    }

    fn command(&self, folder: &Path) -> Command {
        let mut java = self.own().java(folder);
        java.arg("kafka.Kafka").arg(folder.join("settings"));
        java
    }

    fn is_ready(&self, _folder: &Path, _pid: u32) -> bool {
        let own = self.own();
        wire::metadata(&own.listen.to_string())
            .is_ok_and(|known| known.cluster_id == own.cluster_id && known.has_brokers)
    }

    fn empty(&self) {
        let topics = wire::metadata(&self.direct()).expect("it runs").topics;
        for topic in topics.iter().filter(|topic| !topic.internal) {
            wire::delete_topic(&self.direct(), &topic.name).expect("it was there");
        }
    }
}

fn installed_servers() -> PathBuf {
    env::var_os(FOLDER_VARIABLE).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-servers"),
        PathBuf::from,
    )
}
