//! The background tasks of a process. A task that dies is reported.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A task panicked, or returned before it was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task {task} died")]
pub struct TaskDied {
    /// The name of the task.
    pub task: &'static str,
}

/// Tasks by name. Several tasks may have the same name.
#[derive(Default)]
pub(crate) struct Tasks {
    by_name: Mutex<BTreeMap<&'static str, TaskTracker>>,
    first_death: watch::Sender<Option<TaskDied>>,
}

impl Tasks {
    /// Spawns a task that runs until `stop` is cancelled and must not end before.
    pub(crate) fn spawn<F>(
        &self,
        name: &'static str,
        stop: &CancellationToken,
        task: impl FnOnce(CancellationToken) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = task(stop.clone());
        let (stop, first_death) = (stop.clone(), self.first_death.clone());
        self.tracker(name).spawn(async move {
            let ended = tokio::spawn(task).await;
            if ended.is_err() || !stop.is_cancelled() {
                tracing::error!(task = name, "a task died");
                first_death.send_if_modified(|first| {
                    let is_first = first.is_none();
                    first.get_or_insert(TaskDied { task: name });
                    is_first
                });
            }
        });
    }

    /// Waits until a task has died, and returns the first that did.
    pub(crate) async fn died(&self) -> TaskDied {
        let mut deaths = self.first_death.subscribe();
        let first = deaths
            .wait_for(Option::is_some)
            .await
            .expect("this holds a sender");
        first.expect("the wait was for a value")
    }

    /// Waits until all tasks of this name have ended.
    pub(crate) async fn ended(&self, name: &'static str) {
        let tracker = self.tracker(name);
        tracker.close();
        tracker.wait().await;
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn all_ended(&self) {
        let names: Vec<_> = self.by_name.lock().keys().copied().collect();
        for name in names {
            self.ended(name).await;
        }
    }

    fn tracker(&self, name: &'static str) -> TaskTracker {
        self.by_name.lock().entry(name).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_or_returns_early_is_reported() {
        let tasks = Tasks::default();
        let stop = CancellationToken::new();
        tasks.spawn("waits", &stop, CancellationToken::cancelled_owned);
        tasks.spawn("returns", &stop, |_| async {});
        assert_eq!(tasks.died().await, TaskDied { task: "returns" });

        let tasks = Tasks::default();
        tasks.spawn("panics", &stop, |_| async { panic!("on purpose") });
        assert_eq!(tasks.died().await, TaskDied { task: "panics" });
    }

    #[tokio::test]
    async fn a_task_that_was_asked_to_stop_has_not_died() {
        let tasks = Tasks::default();
        let stop = CancellationToken::new();
        tasks.spawn("waits", &stop, CancellationToken::cancelled_owned);
        stop.cancel();
        tasks.all_ended().await;
        assert!(tasks.first_death.borrow().is_none());
    }

    #[tokio::test]
    async fn tasks_have_ended_when_the_last_of_them_has() {
        let tasks = Tasks::default();
        let stops = [(); 3].map(|()| CancellationToken::new());
        for (name, stop) in ["waits", "waits", "other"].into_iter().zip(&stops) {
            tasks.spawn(name, stop, CancellationToken::cancelled_owned);
        }
        let [first, second, other] = stops;
        first.cancel();
        tokio::task::yield_now().await;
        assert_eq!(tasks.ended("waits").now_or_never(), None);
        second.cancel();
        tasks.ended("waits").await;
        assert_eq!(tasks.all_ended().now_or_never(), None);
        other.cancel();
        tasks.all_ended().await;
    }

    #[tokio::test]
    async fn the_first_death_is_the_one_that_is_reported() {
        let tasks = Tasks::default();
        let stop = CancellationToken::new();
        tasks.spawn("first", &stop, |_| async {});
        tasks.ended("first").await;
        tasks.spawn("second", &stop, |_| async {});
        tasks.ended("second").await;
        assert_eq!(tasks.died().await, TaskDied { task: "first" });
    }
}
