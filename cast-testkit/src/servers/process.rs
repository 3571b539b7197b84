//! Processes, by their ids: signals, children, and whether they stand still.

use std::{fs, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use crate::eventually;

/// How long the system may take to carry out a signal.
const SIGNAL_DEADLINE: Duration = Duration::from_secs(10);

/// Sends a signal; a process that is no longer there needs none.
pub(super) fn signal(process: u32, signal: Signal) {
    let id = i32::try_from(process).ok().and_then(Pid::from_raw);
    let _ = kill_process(id.expect("a process id"), signal);
}

/// Stops a process and its children, and waits until none of them moves.
pub(super) async fn freeze(process: u32) -> Vec<u32> {
    // The parent first: from then on there are no new children.
    signal(process, Signal::STOP);
    until_all(&[process], is_still).await;
    let children = children(process);
    for child in &children {
        signal(*child, Signal::STOP);
    }
    until_all(&children, is_still).await;
    children
}

/// Lets a frozen process and its children go on.
pub(super) fn thaw(process: u32) {
    for child in children(process) {
        signal(child, Signal::CONT);
    }
    signal(process, Signal::CONT);
}

/// Kills a process and its children, as a loss of power would: none of them gets a word in.
///
/// The parent must reap the process.
pub(super) async fn kill(process: u32) {
    let children = freeze(process).await;
    for one in [process].iter().chain(&children) {
        signal(*one, Signal::KILL);
    }
    until_all(&children, is_dead).await;
}

async fn until_all(processes: &[u32], reached: impl Fn(char) -> bool) {
    let what = format!("a signal's effect on {processes:?}");
    eventually(SIGNAL_DEADLINE, what, || {
        let all = processes.iter().all(|process| reached(state(*process)));
        std::future::ready(all.then_some(()))
    })
    .await;
}

/// The state letter of the system's process table; `X` if the process is not in it.
fn state(process: u32) -> char {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name before it stands in brackets, and may itself contain some.
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name.chars().next().unwrap_or('X')
}

/// Stopped, or dead.
fn is_still(state: char) -> bool {
    state == 'T' || is_dead(state)
}

/// Gone, or waiting to be reaped.
fn is_dead(state: char) -> bool {
    matches!(state, 'X' | 'Z')
}

fn children(process: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{process}/task/{process}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}
