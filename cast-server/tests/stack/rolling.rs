//! A rolling restart of every role under load, as Kubernetes does it: one process after the other is
//! asked to end, drains, and another takes its place.

use std::process::Stdio;

use cast_testkit::servers::free_address;
use serde_json::Value;
use tokio::process::Child;

use crate::{
    check::{audited, tallies},
    program::{Client, Process},
    stack::{LATER, Role, Stack, drain, until},
};

/// Candidates of the load; its seed, which names them, is of no importance to a database of its own.
const CANDIDATES: u64 = 7;
const SEED: u64 = 6;
/// How many more votes each process must have lived through.
const VOTES_BETWEEN: u64 = 150;

/// `bench`, which votes until it is asked to stop.
pub(crate) struct Load {
    child: Child,
}

impl Load {
    pub(crate) fn start(stack: &Stack, servers: &[String]) -> Self {
        let urls: Vec<_> = servers.iter().map(|it| format!("http://{it}")).collect();
        let (candidates, seed) = (CANDIDATES.to_string(), SEED.to_string());
        let mut command = stack.command("bench", &[]);
        command
            .args(["--url", &urls.join(","), "--json", "--duration", "1h"])
            .args(["--candidates", &candidates, "--seed", &seed])
            .args(["--connections", "16", "--retry-fraction", "0.05"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        Self { child }
    }

    /// Ends the load, and waits until it has compared the tallies with the answers.
    pub(crate) async fn stop(self) -> Value {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = tokio::process::Command::new("kill")
            .args(["-s", "INT", &pid])
            .status()
            .await;
        assert!(sent.unwrap().success());
        let output = cast_testkit::within(LATER, "a report", self.child.wait_with_output());
        let output = output.await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

/// The votes that a server shows.
async fn votes(api: &Client) -> u64 {
    let names: Vec<_> = (0..CANDIDATES)
        .map(|number| format!("bench-{SEED:016x}-{number}"))
        .collect();
    tallies(api, &names).await.iter().map(|it| it.1).sum()
}

/// Waits until more votes were accepted: what comes next happens under load.
pub(crate) async fn until_voted(api: &Client, more: u64) {
    let enough = votes(api).await + more;
    let voted = async || (votes(api).await >= enough).then_some(());
    until("more votes", voted).await;
}

/// Ends a process in good order, and starts another in its place, at the same address.
async fn replace(stack: &Stack, role: Role, address: &str, process: Process) -> Process {
    drain(process).await;
    stack.run_with(role, &[("CAST_LISTEN", address)]).await
}

/// Two of a role, where they listen, and what they are.
pub(crate) struct Pair {
    role: Role,
    pub(crate) addresses: [String; 2],
    processes: [Option<Process>; 2],
}

impl Pair {
    pub(crate) async fn start(stack: &Stack, role: Role) -> Self {
        let addresses = std::array::from_fn(|_| free_address().to_string());
        let at = |address| [("CAST_LISTEN", address)];
        let (first, second) = (at(&*addresses[0]), at(&*addresses[1]));
        let processes = tokio::join!(stack.run_with(role, &first), stack.run_with(role, &second));
        Self {
            role,
            processes: [Some(processes.0), Some(processes.1)],
            addresses,
        }
    }

    /// Replaces one after the other while votes come in, which `api` is asked about.
    pub(crate) async fn roll(&mut self, stack: &Stack, clients: &[Client; 2]) {
        for place in 0..2 {
            // The server that keeps running.
            let api = &clients[1 - place];
            until_voted(api, VOTES_BETWEEN).await;
            let process = self.processes[place].take().expect("it runs");
            let process = replace(stack, self.role, &self.addresses[place], process).await;
            self.processes[place] = Some(process);
            until_voted(api, VOTES_BETWEEN).await;
        }
    }

    /// A client of each.
    pub(crate) fn clients(&self) -> [Client; 2] {
        let client = |address| Client::new(&format!("http://{address}"));
        self.addresses.each_ref().map(client)
    }

    pub(crate) async fn end(self) {
        for process in self.processes.into_iter().flatten() {
            drain(process).await;
        }
    }
}

/// By code: how often, without those that a voter may send again at once.
fn final_codes<'a>(codes: &'a Value, retryable: &[&str]) -> Vec<(&'a String, &'a Value)> {
    let codes = codes.as_object().expect("an object").iter();
    codes
        .filter(|(code, _)| !retryable.contains(&code.as_str()))
        .collect()
}

/// Every accepted vote counts once, and no answer was more than a retryable error.
pub(crate) fn no_vote_failed(report: &Value) {
    assert_eq!(report["verdict"], "exact", "{report}");
    assert_eq!(report["exit_code"], 0, "{report}");
    // A server that drains refuses no connection that it has taken in, and loses no answer.
    for codes in [&report["unknown"], &report["retries"]["unknown"]] {
        let failed = final_codes(codes, &[]);
        assert!(failed.is_empty(), "votes without an answer: {report}");
    }
    for counts in [report, &report["retries"]] {
        let retryable = ["OVERLOADED", "UNAVAILABLE", "NO_TICKET"];
        let failed = final_codes(&counts["faults"], &retryable);
        assert!(failed.is_empty(), "{report}");
        let retryable = ["TICKET_EXPIRED", "TICKET_EXHAUSTED"];
        let failed = final_codes(&counts["refused"], &retryable);
        assert!(failed.is_empty(), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_is_replaced_under_load_and_no_vote_fails() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    stack.set("CAST_TICKET_USES", "1000000");
    let (mut generators, mut consumers, mut apis) = tokio::join!(
        Pair::start(&stack, Role::Generator),
        Pair::start(&stack, Role::Consumer),
        Pair::start(&stack, Role::Api),
    );
    let clients = apis.clients();
    let load = Load::start(&stack, &apis.addresses);
    for pair in [&mut consumers, &mut apis, &mut generators] {
        pair.roll(&stack, &clients).await;
    }
    let report = load.stop().await;

    no_vote_failed(&report);
    let accepted = report["accepted"].as_u64().expect("a count");
    let folded = async || {
        let sum = "SELECT coalesce(sum(count), 0) FROM votes";
        let counted: u64 = stack.database.sql(sum).await.trim().parse().unwrap();
        (counted >= accepted).then_some(counted)
    };
    assert_eq!(until("all votes in the table", folded).await, accepted);
    audited(&stack).await;
    apis.end().await;
    consumers.end().await;
    generators.end().await;
}
