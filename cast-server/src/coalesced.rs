//! Request coalescing: concurrent callers share one answer.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// Runs one question at a time. Callers that arrive while one runs share the answer of the next: a
/// flood of requests costs the server behind it no more than one after the other, and no caller gets
/// an answer that is older than its request.
pub(crate) struct Coalesced<T> {
    /// How many questions have begun.
    begun: AtomicU64,
    /// The last answer, and the number of its question.
    last: Mutex<Option<(u64, T)>>,
}

impl<T> Default for Coalesced<T> {
    fn default() -> Self {
        Self {
            begun: AtomicU64::new(0),
            last: Mutex::default(),
        }
    }
}

impl<T: Clone> Coalesced<T> {
    /// An answer to a question that began after this call.
    pub(crate) async fn ask(&self, question: impl Future<Output = T>) -> T {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some((number, answer)) = &*last
            && *number > before
        {
            return answer.clone();
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = question.await;
        *last = Some((number, answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn callers_that_arrive_while_a_question_runs_share_the_next_answer() {
        let (asked, go_on) = (AtomicUsize::new(0), Semaphore::new(0));
        let coalesced = Coalesced::default();
        let ask = || {
            coalesced.ask(async {
                let nth = asked.fetch_add(1, Ordering::Relaxed);
                go_on.acquire().await.expect("open").forget();
                nth
            })
        };
        let others = async {
            // They are polled after the first, which runs by then.
            let (others, ()) = tokio::join!(join_all((0..50).map(|_| ask())), async {
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
