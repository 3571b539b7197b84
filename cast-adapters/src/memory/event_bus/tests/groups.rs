//! The assignment of partitions, the positions, and the waits of members.

use super::*;

#[tokio::test]
async fn a_refused_position_is_looked_up_again() {
    let bench = Bench::new(1, BusOptions::default());
    bench.publish(0, 2).await;
    bench.progress.set(0, 3);
    let mut member = bench.join("g").await;
    let error = member.next().await.expect_err("behind the end");
    assert!(
        error.chain().contains("belongs to another log"),
        "{}",
        error.chain()
    );
    bench.progress.set(0, 1);
    assert_eq!(span(&next(&mut member).await), (0, 1, 2));
    let seek = member.seek(Partition::new(0), Offset::new(3)).await;
    assert_eq!(kind(seek), PortErrorKind::Misconfigured);
    assert!(is_idle(&mut member).await, "a refused seek changes nothing");
}

#[tokio::test]
async fn a_partition_that_is_refused_does_not_starve_the_others() {
    let bench = Bench::new(2, BusOptions::default());
    bench.publish(1, 1).await;
    bench.progress.set(0, 9);
    let mut member = bench.join("g").await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        let answer = member.next().await;
        answers.push(answer.map(|batch| span(&batch)).map_err(|e| e.kind()));
    }
    assert_eq!(answers.iter().filter(|a| **a == Ok((1, 0, 1))).count(), 1);
    let refused = Err(PortErrorKind::Misconfigured);
    assert_eq!(answers.iter().filter(|a| **a == refused).count(), 3);
}

#[tokio::test]
async fn partitions_are_reassigned_when_a_member_joins_or_is_dropped() {
    let bench = Bench::new(3, BusOptions::default());
    let mut a = bench.join("g").await;
    for partition in 0..3 {
        bench.publish(partition, 1).await;
    }
    for _ in 0..3 {
        next(&mut a).await;
    }
    bench.progress.set(1, 1);
    let mut b = bench.join("g").await;
    for partition in 0..3 {
        bench.publish(partition, 1).await;
    }
    let of_a = [span(&next(&mut a).await), span(&next(&mut a).await)];
    assert!(
        of_a.contains(&(0, 1, 2)) && of_a.contains(&(2, 1, 2)),
        "{of_a:?}"
    );
    assert_eq!(span(&next(&mut b).await), (1, 1, 2));
    assert!(is_idle(&mut a).await && is_idle(&mut b).await);

    // A partition of another member resumes at the store's position, here before what b has read.
    drop(b);
    assert_eq!(span(&next(&mut a).await), (1, 1, 2));
    assert!(
        is_idle(&mut a).await,
        "the partition that stayed with a continues at its position"
    );
}

#[tokio::test]
async fn the_position_of_a_partition_that_was_revoked_and_assigned_again_is_looked_up_again() {
    let bench = Bench::new(2, BusOptions::default());
    let mut a = bench.join("g").await;
    bench.publish(1, 3).await;
    assert_eq!(span(&next(&mut a).await), (1, 0, 3));
    bench.progress.set(1, 2);
    drop(bench.join("g").await);
    assert_eq!(span(&next(&mut a).await), (1, 2, 3));
}

#[tokio::test]
async fn more_members_than_partitions_wait_for_one_to_leave() {
    let bench = Bench::new(1, BusOptions::default());
    let (a, mut b) = (bench.join("g").await, bench.join("g").await);
    bench.publish(0, 1).await;
    assert!(is_idle(&mut b).await);
    let waiting = tokio::spawn(async move { span(&next(&mut b).await) });
    tokio::task::yield_now().await;
    a.close().await.expect("closed");
    assert_eq!(waiting.await.expect("no panic"), (0, 0, 1));
}

#[tokio::test]
async fn a_wait_that_is_dropped_skips_nothing() {
    let bench = Bench::new(2, BusOptions::default());
    let mut member = bench.join("g").await;
    for number in 0..50 {
        assert!(is_idle(&mut member).await);
        let partition = u32::from(number % 3 == 0);
        let published = bench
            .try_publish(partition, [number])
            .await
            .expect("published");
        let at = published.position.expect("known here");
        let batch = next(&mut member).await;
        assert_eq!((batch.partition, batch.start), (at.partition, at.offset));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wakeup_is_lost_between_publishers_and_a_reader() {
    const EACH: u64 = 2_000;
    let bench = Arc::new(Bench::new(4, BusOptions::default()));
    let mut member = bench.join("g").await;
    for partition in 0..4 {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.publish(partition, EACH).await });
    }
    let mut ends = [0; 4];
    while ends != [EACH; 4] {
        let batch = next(&mut member).await;
        let (partition, start, next) = span(&batch);
        let end = &mut ends[partition as usize];
        assert_eq!(*end, start, "batches join");
        *end = next;
        commit(&mut member, partition, next).await;
    }
    assert_eq!(bench.waiting(), 0);
}

/// Folds as a consumer does: a batch that starts at the progress moves it, any other is read again
/// from there. Leaves the group after some batches, or when all records are folded.
async fn fold_for_a_while(bench: &Bench, batches: u64, end: u64, count: u32) {
    let mut member = bench.join("g").await;
    for _ in 0..batches {
        if (0..count).all(|partition| bench.progress.get(partition) == end) {
            return;
        }
        // This member may have no partition left: it checks again later.
        let Ok(batch) = timeout(Duration::from_millis(5), member.next()).await else {
            continue;
        };
        let (partition, start, next) = span(&batch.expect("a batch"));
        match bench.progress.advance(partition, start, next) {
            Ok(()) => commit(&mut member, partition, next).await,
            Err(progress) => {
                let (partition, progress) = (Partition::new(partition), Offset::new(progress));
                member.seek(partition, progress).await.expect("sought");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_that_come_and_go_fold_every_record_once() {
    const EACH: u64 = 1_000;
    const COUNT: u32 = 3;
    let bench = Arc::new(Bench::new(COUNT, BusOptions::default()));
    for partition in 0..COUNT {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.publish(partition, EACH).await });
    }
    let consumers: Vec<_> = (1..=4)
        .map(|patience| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                while (0..COUNT).any(|partition| bench.progress.get(partition) < EACH) {
                    fold_for_a_while(&bench, patience * 3, EACH, COUNT).await;
                }
            })
        })
        .collect();
    for consumer in consumers {
        timeout(Duration::from_secs(60), consumer)
            .await
            .expect("all is folded in time")
            .expect("no panic");
    }
    assert_eq!(bench.waiting(), 0);
}
