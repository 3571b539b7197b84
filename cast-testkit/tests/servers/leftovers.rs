//! Nothing is left of a server, however its test ends.

use std::{
    future::ready,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use cast_testkit::{
    eventually,
    servers::{Kafka, Postgres, Private, Redis, Server},
};

use crate::client::{DEADLINE, is_alive};

/// Set for the tests below that play a test's process which is killed.
const ROLE: &str = "CAST_TEST_ROLE";

/// What a server has on the machine.
#[derive(Debug)]
struct Trace {
    pid: u32,
    folder: PathBuf,
}

impl Trace {
    fn of<S: Server>(server: &mut Private<S>) -> Self {
        let pid = server.pid().expect("it runs");
        let folder = server.folder().to_owned();
        assert!(is_alive(pid) && folder.is_dir());
        Self { pid, folder }
    }

    fn is_gone(&self) -> bool {
        !is_alive(self.pid) && !self.folder.exists()
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_server() {
    if let Some(mut redis) = Redis::start().await {
        let trace = Trace::of(&mut redis);
        drop(redis);
        assert!(trace.is_gone(), "{trace:?}");
    }
    if let Some(mut postgres) = Postgres::start().await {
        let trace = Trace::of(&mut postgres);
        drop(postgres);
        assert!(trace.is_gone(), "{trace:?}");
    }
    if let Some(mut kafka) = Kafka::start().await {
        let trace = Trace::of(&mut kafka);
        drop(kafka);
        assert!(trace.is_gone(), "{trace:?}");
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_frozen_server() {
    if let Some(mut redis) = Redis::start().await {
        let trace = Trace::of(&mut redis);
        redis.freeze().await;
        drop(redis);
        assert!(trace.is_gone(), "{trace:?}");
    }
    if let Some(mut postgres) = Postgres::start().await {
        let trace = Trace::of(&mut postgres);
        postgres.freeze().await;
        drop(postgres);
        assert!(trace.is_gone(), "{trace:?}");
    }
}

#[tokio::test]
async fn nothing_is_left_when_a_test_panics() {
    let (sender, trace) = tokio::sync::oneshot::channel();
    let test = tokio::spawn(async {
        let Some(mut redis) = Redis::start().await else {
            return;
        };
        sender.send(Trace::of(&mut redis)).expect("the test waits");
        panic!("as a test does that fails");
    });
    let Ok(trace) = trace.await else { return };
    assert!(test.await.is_err());
    assert!(trace.is_gone(), "{trace:?}");
}

#[tokio::test]
async fn nothing_is_left_when_the_process_of_a_test_is_killed() {
    let mut role = this_test_program("leftovers::role_a_test_that_is_killed")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs once already");
    let said = BufReader::new(role.stdout.take().expect("piped"));
    let mut traces = Vec::new();
    for line in said.lines().map_while(Result::ok) {
        if line == "started" {
            break;
        }
        // "test name ... server PID FOLDER": the runner's line goes before the first of ours.
        if let Some((_, trace)) = line.split_once("server ") {
            let (pid, folder) = trace.split_once(' ').expect("two words");
            let (pid, folder) = (pid.parse().expect("a number"), folder.into());
            traces.push(Trace { pid, folder });
        }
    }
    role.kill().expect("it is our child");
    role.wait().expect("it is our child");
    for trace in traces {
        let what = format!("nothing left of {trace:?}");
        eventually(DEADLINE, what, || ready(trace.is_gone().then_some(()))).await;
    }
}

#[tokio::test]
#[ignore = "the test before this one runs it, in a process of its own"]
#[expect(clippy::print_stdout, reason = "how it tells the test what it started")]
async fn role_a_test_that_is_killed() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let mut redis = Redis::start().await;
    let mut postgres = Postgres::start().await;
    if let Some(Trace { pid, folder }) = redis.as_mut().map(Trace::of) {
        println!("server {pid} {}", folder.display());
    }
    if let Some(Trace { pid, folder }) = postgres.as_mut().map(Trace::of) {
        println!("server {pid} {}", folder.display());
    }
    println!("started");
    std::future::pending::<()>().await;
}

/// This very program, to run one ignored test.
fn this_test_program(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("it runs"));
    command.args([
        "--exact",
        test,
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command.env(ROLE, "yes").stdin(Stdio::null());
    command
}
