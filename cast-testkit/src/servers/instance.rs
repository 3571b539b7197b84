//! One server process in its folder, and the guard that outlives the test.

use std::{
    fs::File,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use super::{places, process};

/// A folder, and at most one server process that runs in it.
///
/// A guard, a shell process, ends the server and removes the folder when its input ends. That is so
/// when this is dropped, and also when this process is killed: the system closes what it held.
#[derive(Debug)]
pub(super) struct Instance {
    folder: PathBuf,
    server: Option<Child>,
    guard: Child,
    /// `None` only while it is dropped.
    to_guard: Option<ChildStdin>,
}

impl Instance {
    /// A fresh folder, guarded. The server that is launched in it is later ended by `stop_signal`.
    pub(super) fn new(name: &str, stop_signal: &str) -> Self {
        let folder = places::fresh_folder(name);
        let mut guard = Command::new("sh")
            .args(["-c", include_str!("guard.sh"), "guard.sh", stop_signal])
            .arg(&folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            // Otherwise the reader of the test's output would wait for the guard, too.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for the test; the guard then cleans up.
            .process_group(0)
            .spawn()
            .expect("every system has a shell");
        let to_guard = guard.stdin.take();
        Self {
            folder,
            server: None,
            guard,
            to_guard,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where what the server says is written.
    pub(super) fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Starts the server, which must not run.
    pub(super) fn launch(&mut self, mut command: Command) {
        assert!(self.server.is_none(), "the server runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path());
        let log = log.expect("the folder is ours");
        let server = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file descriptor is left"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        self.tell_guard(&server.id().to_string());
        self.server = Some(server);
    }

    /// The server's process id; `None` if it was not launched, or was killed, or ended by itself.
    pub(super) fn pid(&mut self) -> Option<u32> {
        let server = self.server.as_mut()?;
        let ended = server.try_wait().expect("the server is our child");
        if ended.is_none() {
            return Some(server.id());
        }
        self.server = None;
        self.tell_guard("");
        None
    }

    /// Kills the server and its children, and waits until nothing is left of them.
    pub(super) async fn kill(&mut self) {
        if let Some(pid) = self.pid() {
            process::kill(pid).await;
            // The guard must not mistake a later process of the same number for it.
            self.tell_guard("");
            let mut server = self.server.take().expect("it has a process id");
            server.wait().expect("the server is our child");
        }
    }

    fn tell_guard(&mut self, line: &str) {
        let guard = self.to_guard.as_mut().expect("kept until dropped");
        // The guard may have been killed; dropping this makes up for it.
        let _ = writeln!(guard, "{line}");
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            // Frozen children would not hear that their parent asks them to go.
            process::thaw(pid);
        }
        let guarded = matches!(self.guard.try_wait(), Ok(None));
        self.to_guard = None;
        if let Some(server) = &mut self.server {
            if !guarded {
                let _ = server.kill();
            }
            // While the guard waits for it to be gone, which it is when it is reaped.
            let _ = server.wait();
        }
        let _ = self.guard.wait();
        if !guarded {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
