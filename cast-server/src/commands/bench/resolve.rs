//! Ballots without a definite answer, sent again after the load.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::JoinSet;

use super::{
    run::{Run, backoff, send_vote},
    run_stats::OpenBallot,
    wire,
};

/// How many connections send them.
const RESOLVERS: usize = 16;

/// Sends ballots of which it is not known whether they count again, until it is known or the time is
/// over.
pub(super) async fn run(run: &Arc<Run>) {
    let open = run.stats().open();
    // One that has no id would be another ballot.
    let queue: VecDeque<_> = open.into_iter().filter(|it| it.id.is_some()).collect();
    let resolvers = queue.len().min(run.config.connections).min(RESOLVERS);
    let queue = Arc::new(Mutex::new(queue));
    let mut running = JoinSet::new();
    for number in 0..resolvers {
        let (run, queue) = (Arc::clone(run), Arc::clone(&queue));
        running.spawn(async move { resolve(&run, number, &queue).await });
    }
    // Dropping the set ends those that are not done.
    tokio::select! {
        () = async { while running.join_next().await.is_some() {} } => {}
        () = run.clock.sleep(run.config.reconcile_timeout) => {}
        () = run.give_up.cancelled() => {}
    }
}

async fn resolve(run: &Run, mut server: usize, queue: &Mutex<VecDeque<OpenBallot>>) {
    let lock = || queue.lock().unwrap_or_else(PoisonError::into_inner);
    let mut connection = run.connection_to(server);
    let (mut backoff, mut refused) = (backoff(), None);
    loop {
        if connection.connect().await.is_err() {
            if lock().is_empty() {
                return;
            }
            server += 1;
            connection = run.connection_to(server);
            run.clock.sleep(backoff.next_pause()).await;
            continue;
        }
        let ticket = run.tickets.good(refused).await;
        let Some(ballot) = lock().pop_front() else {
            return;
        };
        let name = &run.names[ballot.candidate];
        let body = wire::vote(name, &ticket.quoted, ballot.id);
        let response = send_vote(&mut connection, body).await;
        if let Ok(response) = &response {
            refused = run.ticket_is_refused(response, &ticket).or(refused);
            let mut stats = run.stats();
            if stats.answer_open(ballot.entry, ticket.number, response) {
                backoff.reset();
                continue;
            }
        }
        lock().push_back(ballot);
        run.clock.sleep(backoff.next_pause()).await;
    }
}
