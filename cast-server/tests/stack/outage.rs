//! Redis, Kafka or Postgres goes, and comes back: no server is restarted for it.

use std::time::Duration;

use cast_testkit::{
    Seed, pause,
    servers::{Database, Mode, random_name},
};

use crate::{
    breaking::{cut_connections, deadlock, delete_keys, restore},
    check::check,
    ledger::{Ledger, VoteResponse},
    program::Client,
    stack::{Deployment, Own, Role, Stack, drain, until, until_logged, until_ready},
    voters::{Voter, Voters, ticket},
    workload::Workload,
};

const VOTERS: usize = 12;

/// Longer than any deadline that the processes have for a server of theirs.
const BEYOND_DEADLINES: Duration = Duration::from_millis(3_500);

/// A deployment with voters before it, who have begun.
struct Scene {
    stack: Stack,
    deployment: Deployment,
    apis: Vec<Client>,
    workload: Workload,
    voters: Voters,
}

impl Scene {
    async fn on(own: Own) -> Option<Self> {
        Some(Self::of(Stack::start_on(own).await?).await)
    }

    async fn of(stack: Stack) -> Self {
        let deployment = Deployment::start(&stack, 2).await;
        let apis = deployment.clients();
        let workload = Workload::new(apis.clone());
        let mut voters = Voters::start(Seed::from_env_or_random(), &workload, VOTERS);
        voters.until_acknowledged(40).await;
        Self {
            stack,
            deployment,
            apis,
            workload,
            voters,
        }
    }

    /// Voters are served again; then all is compared, and ends in good order.
    async fn recovers(mut self) {
        self.voters.until_acknowledged(40).await;
        for api in &self.apis {
            until_ready(api, 200).await;
        }
        self.voters.stop().await;
        check(&self.stack, &self.workload, &self.apis).await;
        self.deployment.drain().await;
    }

    /// Waits until each voter got more than one answer, on average, that this does not count or may
    /// not, or that there is no ticket: by then all deadlines have passed.
    async fn until_no_voter_is_served(&mut self) {
        let before = self.workload.read(Ledger::unserved);
        let are_unserved = |ledger: &Ledger| ledger.unserved() >= before + 2 * VOTERS;
        self.voters
            .until_ledger("voters who are not served", are_unserved)
            .await;
    }

    async fn until_missing(&self, what: &str) {
        for api in &self.apis {
            // "tickets (127.0.0.1:6379): unavailable (needed)"
            let missing = format!("{what} (");
            let named = async || {
                let text = until_ready(api, 503).await;
                let mut lines = text.lines();
                lines.any(|line| line.starts_with(&missing)).then_some(())
            };
            until(&format!("readiness that names {what}"), named).await;
            assert_eq!(api.get("/livez").await.status, 200);
        }
    }

    /// Tickets of before the loss are refused: their use counters are gone.
    async fn open_tickets_fail_closed(&self, tickets: &[String]) {
        let mut voter = Voter::new("holder", Seed::random(), &self.workload);
        for (api, ticket) in self.apis.iter().zip(tickets) {
            let name = format!("holder {}", random_name());
            let response = voter.vote_with(api, &name, ticket.clone()).await;
            // Expired, if it took so long.
            let VoteResponse::Refused(code) = response else {
                panic!("a ticket whose use counter was lost: {response:?}");
            };
            assert!(
                ["TICKET_INVALID", "TICKET_EXPIRED"].contains(&&*code),
                "{code}"
            );
        }
    }

    async fn tickets(&self) -> Vec<String> {
        let mut tickets = Vec::new();
        for api in &self.apis {
            tickets.push(until("a ticket", async || ticket(api).await).await);
        }
        tickets
    }
}

#[tokio::test]
async fn redis_forgets_everything_while_it_runs() {
    let Some(mut scene) = Scene::on(Own::default()).await else {
        return;
    };
    for _ in 0..3 {
        let tickets = scene.tickets().await;
        scene.stack.redis.empty().await;
        scene.open_tickets_fail_closed(&tickets).await;
        scene.voters.until_acknowledged(20).await;
    }
    scene.recovers().await;
}

#[tokio::test]
async fn redis_loses_single_keys() {
    let Some(mut scene) = Scene::on(Own::default()).await else {
        return;
    };
    let random = Seed::from_env_or_random().part(98).entropy();
    for _ in 0..6 {
        delete_keys(&scene.stack.redis, &random).await;
        scene.voters.until_acknowledged(20).await;
    }
    scene.recovers().await;
}

#[tokio::test]
async fn redis_stands_still_beyond_all_deadlines() {
    let Some(mut scene) = Scene::on(Own::default()).await else {
        return;
    };
    for _ in 0..2 {
        scene.stack.redis.freeze().await;
        scene.until_no_voter_is_served().await;
        pause(BEYOND_DEADLINES).await;
        scene.stack.redis.thaw().await;
        scene.voters.until_acknowledged(20).await;
    }
    scene.recovers().await;
}

#[tokio::test]
async fn redis_dies_and_comes_back_without_its_data() {
    let Some(mut scene) = Scene::on(Own::default()).await else {
        return;
    };
    let tickets = scene.tickets().await;
    scene.stack.redis.kill().await;
    scene.until_missing("tickets").await;
    scene.stack.redis.restart_empty().await;
    scene.open_tickets_fail_closed(&tickets).await;
    scene.recovers().await;
}

#[tokio::test]
async fn redis_dies_and_comes_back_with_its_data() {
    let own = Own {
        redis: Mode::Durable,
        ..Own::default()
    };
    let Some(mut stack) = Stack::start_on(own).await else {
        return;
    };
    // They outlast a restart: their use counters are there again, and must not be trusted.
    for (variable, value) in [("TTL", "5s"), ("PERIOD", "5s"), ("USES", "1000")] {
        stack.set(&format!("CAST_TICKET_{variable}"), value);
    }
    let mut scene = Scene::of(stack).await;
    let tickets = scene.tickets().await;
    scene.stack.redis.restart().await;
    scene.open_tickets_fail_closed(&tickets).await;
    scene.voters.until_acknowledged(20).await;
    scene.stack.redis.kill().await;
    scene.until_missing("tickets").await;
    scene.stack.redis.restart().await;
    scene.recovers().await;
}

#[tokio::test]
async fn kafka_stands_still_and_dies_and_comes_back_each_time() {
    let own = Own {
        kafka: true,
        ..Own::default()
    };
    let Some(mut scene) = Scene::on(own).await else {
        return;
    };
    scene.stack.kafka.own().freeze().await;
    scene.until_no_voter_is_served().await;
    let unknown =
        |response: &VoteResponse| *response == VoteResponse::Unknown("OUTCOME_UNKNOWN".into());
    assert!(scene.workload.ledger().responses(unknown) > 0);
    scene.stack.kafka.own().thaw().await;
    // A voter with an unknown outcome sends the ballot again, until it is acknowledged.
    scene.voters.until_acknowledged(40).await;

    scene.stack.kafka.own().kill().await;
    scene.until_no_voter_is_served().await;
    scene.until_missing("log").await;
    scene.stack.kafka.own().restart().await;
    scene.recovers().await;
}

#[tokio::test]
async fn postgres_dies_and_comes_back_while_votes_are_taken() {
    let own = Own {
        postgres: true,
        ..Own::default()
    };
    let Some(mut scene) = Scene::on(own).await else {
        return;
    };
    scene.stack.postgres.own().kill().await;
    // The log holds: ballots are acknowledged.
    scene.voters.until_acknowledged(60).await;
    scene.stack.postgres.own().restart().await;
    scene.recovers().await;
}

/// Waits until more is folded than now.
async fn until_folded(database: &Database) {
    let ballots = async || database.sql("SELECT count(*) FROM ballots").await;
    let now = ballots().await;
    until("a fold", async || (ballots().await != now).then_some(())).await;
}

#[tokio::test]
async fn the_connections_to_postgres_are_cut_and_a_fold_is_the_victim_of_a_deadlock() {
    let Some(mut scene) = Scene::on(Own::default()).await else {
        return;
    };
    for _ in 0..4 {
        cut_connections(&scene.stack.database).await;
        scene.voters.until_acknowledged(20).await;
    }
    until("a victim", async || {
        // Only the beginning of an outage is logged: this one must not be one that continues.
        until_folded(&scene.stack.database).await;
        deadlock(&scene.stack.database).await;
        let said = scene.deployment.consumer.said();
        said.contains("deadlock detected").then_some(())
    })
    .await;
    scene.recovers().await;
}

#[tokio::test]
async fn consumers_come_and_go_while_votes_are_taken() {
    let Some(mut scene) = Scene::on(Own::default()).await else {
        return;
    };
    for _ in 0..3 {
        let newcomer = scene.stack.run(Role::Consumer).await;
        until_logged(&newcomer, "partitions were assigned to this consumer").await;
        scene.voters.until_acknowledged(40).await;
        let old = std::mem::replace(&mut scene.deployment.consumer, newcomer);
        drain(old).await;
        scene.voters.until_acknowledged(20).await;
    }
    scene.recovers().await;
}

#[tokio::test]
async fn postgres_is_restored_from_an_older_backup() {
    let Some(mut scene) = Scene::on(Own::default()).await else {
        return;
    };
    let backup = scene.stack.database.backup().await;
    scene.voters.until_acknowledged(60).await;
    crate::check::drained(&scene.stack, &scene.workload).await;
    restore(&scene.stack.database, &backup, &scene.stack.history).await;
    scene.recovers().await;
}
