//! Waiting for a condition, never for a while; and many tasks that start as one.

use std::{fmt, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use tokio::{sync::Barrier, task::JoinSet, time::timeout};

/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// How long the kit's own waits last before they fail: what is waited for takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `condition` holds: until it gives something else than `None`.
///
/// # Panics
///
/// When it does not hold by the `deadline`, naming `what` was waited for.
pub async fn eventually<T, F>(
    deadline: Duration,
    what: impl fmt::Display,
    mut condition: impl FnMut() -> F,
) -> T
where
    F: Future<Output = Option<T>>,
{
    let look = async {
        loop {
            if let Some(held) = condition().await {
                return held;
            }
            pause(LOOK_AGAIN).await;
        }
    };
    within(deadline, what, look).await
}

/// Waits for `future`.
///
/// # Panics
///
/// When it is not done by the `deadline`, naming `what` was waited for.
pub async fn within<T>(
    deadline: Duration,
    what: impl fmt::Display,
    future: impl Future<Output = T>,
) -> T {
    let done = timeout(deadline, future).await;
    done.unwrap_or_else(|_| panic!("waited {deadline:?} in vain: {what}"))
}

/// Lets real time pass: how a harness of a real server makes tickets expire.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the kit waits for real time, which real servers alone can measure"
)]
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Polls `future` at most `polls` times and then drops it; `None` if that was too early.
///
/// It is polled again when it is woken, or after a moment if it is not.
pub async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for poll in 1..=polls {
        let mut polled = false;
        let until_woken = poll_fn(|context| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(None);
            }
            match future.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if poll == polls => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        if let Ok(Some(done)) = timeout(LOOK_AGAIN, until_woken).await {
            return Some(done);
        }
    }
    None
}

/// Runs `racers` tasks that all start at the same moment; their results, in their order.
pub async fn race<T, F>(racers: usize, mut run: impl FnMut(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(racers));
    let mut tasks = JoinSet::new();
    for racer in 0..racers {
        let (start, running) = (Arc::clone(&start), run(racer));
        tasks.spawn(async move {
            start.wait().await;
            (racer, running.await)
        });
    }
    let mut results = tasks.join_all().await;
    results.sort_unstable_by_key(|(racer, _)| *racer);
    results.into_iter().map(|(_, result)| result).collect()
}
