//! What breaks servers: Redis, Kafka and Postgres, each by itself and all at once.

use std::{sync::Mutex, time::Duration};

use cast_testkit::{
    SeededEntropy, pause,
    servers::{Backup, Database, Kafka, Postgres, Private, Redis},
};

use crate::{
    breaking::{cut_connections, deadlock, delete_keys},
    rage::{Rage, hold},
    stack::put_back,
    verdict::History,
};

/// Longer than any deadline that the processes have for a server of theirs.
const BEYOND_DEADLINES: Duration = Duration::from_millis(3_500);

/// How long a server is left alone at most before the next blow.
const PEACE: Duration = Duration::from_secs(8);

/// How long a server that was killed is away, at most, besides its start.
const AWAY: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug)]
enum RedisBlow {
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
    rage: &Rage<'_>,
    history: &Mutex<History>,
) {
    use RedisBlow::{Emptied, Frozen, KeysDeleted, RestartedEmpty, ScriptsForgotten};
    let deck = [
        Emptied,
        KeysDeleted,
        ScriptsForgotten,
        RestartedEmpty,
        Frozen,
    ];
    rage.deal(random, &deck, async |blow| {
        rage.rest(random, PEACE).await;
        if !matches!(blow, Frozen | ScriptsForgotten) {
            history.lock().unwrap().forgotten += 1;
        }
        match blow {
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
        rage.counts.add(format!("Redis {blow:?}"));
    })
    .await;
}

#[derive(Clone, Copy, Debug)]
enum KafkaBlow {
    Restarted,
    Frozen,
}

/// Breaks Kafka.
pub(crate) async fn break_kafka(
    kafka: &mut Private<Kafka>,
    random: &SeededEntropy,
    rage: &Rage<'_>,
) {
    // Half of the time it must be there: nothing is acknowledged without it.
    let peace = PEACE * 3;
    let deck = [KafkaBlow::Restarted, KafkaBlow::Frozen];
    rage.deal(random, &deck, async |blow| {
        rage.rest(random, peace).await;
        match blow {
            KafkaBlow::Restarted => {
                kafka.kill().await;
                hold(random, AWAY).await;
                kafka.restart().await;
            }
            KafkaBlow::Frozen => {
                kafka.freeze().await;
                pause(BEYOND_DEADLINES).await;
                kafka.thaw().await;
            }
        }
        rage.counts.add(format!("Kafka {blow:?}"));
    })
    .await;
}

#[derive(Clone, Copy, Debug)]
enum PostgresBlow {
    Restarted,
    Frozen,
    ConnectionsCut,
    Deadlock,
    PutBack,
}

/// Breaks Postgres. The backup was taken earlier; another is taken whenever it was used.
pub(crate) async fn break_postgres(
    (postgres, database): (&mut Private<Postgres>, &Database),
    backup: &mut Backup,
    random: &SeededEntropy,
    rage: &Rage<'_>,
    history: &Mutex<History>,
) {
    use PostgresBlow::{ConnectionsCut, Deadlock, Frozen, PutBack, Restarted};
    let deck = [Restarted, Frozen, ConnectionsCut, Deadlock, PutBack];
    rage.deal(random, &deck, async |blow| {
        rage.rest(random, PEACE).await;
        match blow {
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
            PutBack => {
                put_back(database, backup, history).await;
                *backup = database.backup().await;
            }
        }
        rage.counts.add(format!("Postgres {blow:?}"));
    })
    .await;
}
