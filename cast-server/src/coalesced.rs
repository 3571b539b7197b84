//! One question at a time, whoever asks it.

use std::{sync::Arc, time::Duration};

use cast_core::ports::Clock;
use tokio::sync::Mutex;

/// Asks what many may want to know at once, one at a time: whoever came while a question was under
/// way shares the next answer with all others who did. So a flood of requests costs what is behind it
/// no more than one after the other, and nobody is told what was true before the request came.
pub(crate) struct Coalesced<T> {
    clock: Arc<dyn Clock>,
    /// The last answer, and when it was asked for.
    last: Mutex<Option<(Duration, T)>>,
}

impl<T: Clone> Coalesced<T> {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            last: Mutex::default(),
        }
    }

    /// An answer that was asked for after this was called.
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
    async fn who_comes_while_a_question_is_under_way_shares_the_next_answer() {
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
            // They are polled after the first, which is under way by then.
            let (others, ()) = tokio::join!(join_all((0..50).map(|_| ask())), async {
                clock.advance(Duration::from_millis(1));
                go_on.add_permits(2);
            });
            others
        };
        let (first, others) = tokio::join!(biased; ask(), others);
        assert_eq!((first, others), (0, vec![1; 50]));
        // Whoever comes later is told what is true then.
        go_on.add_permits(1);
        assert_eq!(ask().await, 2);
    }
}
