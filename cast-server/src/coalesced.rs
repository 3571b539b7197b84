//! Request coalescing: concurrent callers share one answer.

use std::{sync::Arc, time::Duration};

use cast_core::domain::Clock;
use tokio::sync::Mutex;

/// Runs one question at a time. Callers that arrive while one runs share the answer of the next: a
/// flood of requests costs the server behind it no more than one after the other, and no caller gets
/// an answer that is older than its request.
pub(crate) struct Coalesced<T> {
    clock: Arc<dyn Clock>,
    /// The last answer, and when its question began.
    last: Mutex<Option<(Duration, T)>>,
}

impl<T: Clone> Coalesced<T> {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            last: Mutex::default(),
        }
    }

    /// An answer to a question that began after this call.
    pub(crate) async fn ask(&self, question: impl Future<Output = T>) -> T {
        let came = self.clock.monotonic();
        let mut last = self.last.lock().await;
        if let Some((asked, answer)) = &*last
            && *asked > came
        {
            return answer.clone();
        }
        let asked = self.clock.monotonic();
        let answer = question.await;
        *last = Some((asked, answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use cast_testkit::ManualClock;
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn callers_that_arrive_while_a_question_runs_share_the_next_answer() {
        let clock = Arc::new(ManualClock::new());
        let (asked, go_on) = (AtomicUsize::new(0), Semaphore::new(0));
        let coalesced = Coalesced::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let ask = || {
            coalesced.ask(async {
                let nth = asked.fetch_add(1, Ordering::Relaxed);
                clock.advance(Duration::from_millis(1));
                go_on.acquire().await.expect("open").forget();
                nth
            })
        };
        let others = async {
            // They are polled after the first, which runs by then.
            let (others, ()) = tokio::join!(join_all((0..50).map(|_| ask())), async {
                clock.advance(Duration::from_millis(1));
                go_on.add_permits(2);
            });
            others
        };
        let (first, others) = tokio::join!(biased; ask(), others);
        assert_eq!((first, others), (0, vec![1; 50]));
        // A later caller gets a newer answer.
        go_on.add_permits(1);
        assert_eq!(ask().await, 2);
    }
}
