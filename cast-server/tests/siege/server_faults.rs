//! What breaks servers: Redis, Kafka and Postgres, each by itself and all at once.

use std::{sync::Mutex, time::Duration};

use cast_testkit::{
    SeededEntropy, pause,
    servers::{Backup, Database, Kafka, Postgres, Private, Redis},
};

use crate::{
    breaking::{cut_connections, deadlock, delete_keys, restore},
    fault_phase::{FaultPhase, hold},
    history::History,
};

/// Longer than any deadline that the processes have for a server of theirs.
const BEYOND_DEADLINES: Duration = Duration::from_millis(3_500);

/// How long a server is left alone at most before the next fault.
const PEACE: Duration = Duration::from_secs(8);

/// How long a server that was killed is away, at most, besides its start.
const AWAY: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug)]
enum RedisFault {
    Emptied,
    KeysDeleted,
    ScriptsForgotten,
    RestartedEmpty,
    Frozen,
}

/// Breaks Redis.
pub(crate) async fn break_redis(
    redis: &mut Private<Redis>,
    random: &SeededEntropy,
    phase: &FaultPhase<'_>,
    history: &Mutex<History>,
) {
    use RedisFault::{Emptied, Frozen, KeysDeleted, RestartedEmpty, ScriptsForgotten};
    let kinds = [
        Emptied,
        KeysDeleted,
        ScriptsForgotten,
        RestartedEmpty,
        Frozen,
    ];
    phase
        .inject_all(random, &kinds, async |fault| {
            phase.rest(random, PEACE).await;
            if !matches!(fault, Frozen | ScriptsForgotten) {
                history.lock().unwrap().redis_losses += 1;
            }
            match fault {
                Emptied => redis.empty().await,
                KeysDeleted => delete_keys(redis, random).await,
                ScriptsForgotten => {
                    redis.cli(["SCRIPT", "FLUSH", "SYNC"]).await;
                }
                RestartedEmpty => {
                    redis.kill().await;
                    hold(random, AWAY).await;
                    redis.restart_empty().await;
                }
                Frozen => {
                    redis.freeze().await;
                    pause(BEYOND_DEADLINES).await;
                    redis.thaw().await;
                }
            }
            phase.counts.add(format!("Redis {fault:?}"));
        })
        .await;
}

#[derive(Clone, Copy, Debug)]
enum KafkaFault {
    Restarted,
    Frozen,
}

/// Breaks Kafka.
pub(crate) async fn break_kafka(
    kafka: &mut Private<Kafka>,
    random: &SeededEntropy,
    phase: &FaultPhase<'_>,
) {
    // Half of the time it must be there: nothing is acknowledged without it.
    let peace = PEACE * 3;
    let kinds = [KafkaFault::Restarted, KafkaFault::Frozen];
    phase
        .inject_all(random, &kinds, async |fault| {
            phase.rest(random, peace).await;
            match fault {
                KafkaFault::Restarted => {
                    kafka.kill().await;
                    hold(random, AWAY).await;
                    kafka.restart().await;
                }
                KafkaFault::Frozen => {
                    kafka.freeze().await;
                    pause(BEYOND_DEADLINES).await;
                    kafka.thaw().await;
                }
            }
            phase.counts.add(format!("Kafka {fault:?}"));
        })
        .await;
}

#[derive(Clone, Copy, Debug)]
enum PostgresFault {
    Restarted,
    Frozen,
    ConnectionsCut,
    Deadlock,
    Restored,
}

/// Breaks Postgres. The backup was taken earlier; another is taken whenever it was used.
pub(crate) async fn break_postgres(
    (postgres, database): (&mut Private<Postgres>, &Database),
    backup: &mut Backup,
    random: &SeededEntropy,
    phase: &FaultPhase<'_>,
    history: &Mutex<History>,
) {
    use PostgresFault::{ConnectionsCut, Deadlock, Frozen, Restarted, Restored};
    let kinds = [Restarted, Frozen, ConnectionsCut, Deadlock, Restored];
    phase
        .inject_all(random, &kinds, async |fault| {
            phase.rest(random, PEACE).await;
            match fault {
                Restarted => {
                    postgres.kill().await;
                    hold(random, AWAY).await;
                    postgres.restart().await;
                }
                Frozen => {
                    postgres.freeze().await;
                    pause(BEYOND_DEADLINES).await;
                    postgres.thaw().await;
                }
                ConnectionsCut => cut_connections(database).await,
                Deadlock => deadlock(database).await,
                Restored => {
                    restore(database, backup, history).await;
                    *backup = database.backup().await;
                }
            }
            phase.counts.add(format!("Postgres {fault:?}"));
        })
        .await;
}
