//! The real program.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

use super::{Client, SOON};

/// How many of its last lines are shown if the test fails.
const LINES_SHOWN: usize = 40;

/// A folder in which all that processes say is kept, each in a file of its own; none if it is not set.
pub(crate) static LOGS: OnceLock<PathBuf> = OnceLock::new();

/// A process of the program; what it says is read all the while, and shown if the test fails.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) stdout: Lines<BufReader<ChildStdout>>,
    /// The first line that it printed.
    pub(crate) line: String,
    said: watch::Receiver<String>,
    listener: Option<JoinHandle<()>>,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

/// The program, in an empty folder and without variables of ours: `serve` keeps nothing.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cast-server"));
    command
        .args(args)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .kill_on_drop(true);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CAST_")) {
        command.env_remove(name);
    }
    // Tests of the data folder name one.
    command.env("CAST_IN_MEMORY", "true");
    command
}

/// The program, on a data folder.
pub(crate) fn on_folder(args: &[&str], folder: &Path) -> Command {
    let mut command = program(args);
    command
        .env_remove("CAST_IN_MEMORY")
        .arg("--data-dir")
        .arg(folder);
    command
}

/// Runs the program to its end: its exit code, and what it printed and said.
pub(crate) async fn run(command: Command) -> (Option<i32>, String, String) {
    run_within(SOON, command).await
}

/// Runs the program to its end, which may take that long.
pub(crate) async fn run_within(
    deadline: Duration,
    mut command: Command,
) -> (Option<i32>, String, String) {
    let output = timeout(deadline, command.output())
        .await
        .expect("it ends")
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

impl Process {
    /// Starts it, and waits for its line.
    pub(crate) async fn start(command: Command) -> Self {
        let mut process = Self::launch(command);
        process.until_listening().await;
        process
    }

    /// Starts it.
    pub(crate) fn launch(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, said) = watch::channel(String::new());
        let stderr = child.stderr.take().unwrap();
        let listener = tokio::spawn(listen(stderr, sender, log_file(&command, &child)));
        Self {
            child,
            stdout,
            line: String::new(),
            said,
            listener: Some(listener),
        }
    }

    /// Waits for its line.
    pub(crate) async fn until_listening(&mut self) {
        self.line = self.next_line().await.expect("a line");
    }

    /// The next line that it prints, if any.
    pub(crate) async fn next_line(&mut self) -> Option<String> {
        let line = timeout(SOON, self.stdout.next_line()).await;
        line.expect("a line in time").unwrap()
    }

    pub(crate) fn url(&self) -> String {
        let url = self
            .line
            .strip_prefix("listening on ")
            .expect("its first words");
        url.split(' ').next().unwrap().to_owned()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url())
    }

    pub(crate) async fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .await;
        assert!(sent.unwrap().success());
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> String {
        self.said.borrow().clone()
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> Ended {
        let status = timeout(SOON, self.child.wait()).await.expect("it ends");
        // All of what it said is there when its end of the pipe is closed.
        if let Some(listener) = self.listener.take() {
            timeout(SOON, listener).await.expect("silence").unwrap();
        }
        Ended {
            code: status.unwrap().code(),
            stderr: self.said(),
        }
    }
}

/// Where what a process says is kept: by its command and its process id.
fn log_file(command: &Command, child: &Child) -> Option<fs::File> {
    let role = command.as_std().get_args().next()?.to_string_lossy();
    let name = format!("{role}-{}.log", child.id()?);
    Some(fs::File::create(LOGS.get()?.join(name)).expect("a folder of ours"))
}

async fn listen(stderr: ChildStderr, said: watch::Sender<String>, mut log: Option<fs::File>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(log) = &mut log {
            writeln!(log, "{line}").expect("a file of ours");
        }
        said.send_modify(|text| {
            text.push_str(&line);
            text.push('\n');
        });
    }
}

impl Drop for Process {
    #[expect(
        clippy::print_stderr,
        reason = "a failed test shows what the program wrote"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.said();
            let lines: Vec<_> = said.lines().collect();
            let last = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
            eprintln!("{}\nsaid last:\n{}", self.line, last.join("\n"));
        }
    }
}
