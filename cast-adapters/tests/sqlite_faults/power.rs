//! The power is cut.

use cast_testkit::{
    Seed, SeededEntropy,
    disk::{Disk, Fault},
};

use crate::work::{lost, new_folder, work};

/// The calls to be met with a fault: all, or some of them.
pub(crate) fn chosen(calls: u64, some: usize, random: &SeededEntropy) -> Vec<u64> {
    if std::env::var("CAST_TEST_DISK_CALLS").is_ok_and(|which| which == "all") {
        return (0..calls).collect();
    }
    (0..some).map(|_| random.below(calls)).collect()
}

/// How many calls the work takes when nothing fails.
pub(crate) async fn calls_of_the_work(random: &SeededEntropy) -> u64 {
    let (folder, disk) = (new_folder(), Disk::new());
    let known = work(folder.path(), &disk, random).await;
    assert_eq!(known.acknowledged.len(), 18, "nothing failed");
    let checked = lost(folder.path(), &known).await;
    checked.expect("nothing is lost");
    disk.calls()
}

/// Cuts the power at a call; what is lost.
async fn cut_at(call: u64, disk: &Disk, random: &SeededEntropy) -> Result<(), String> {
    let (folder, after) = (new_folder(), new_folder());
    disk.plan(call, 1, Fault::PowerCut);
    let known = work(folder.path(), disk, random).await;
    let left = disk.after_a_power_cut(folder.path(), after.path(), random);
    left.expect("the folder is copied");
    lost(after.path(), &known).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_power_cut_at_any_call() {
    let random = Seed::from_env_or_random().entropy();
    let calls = calls_of_the_work(&random).await;
    for call in chosen(calls, 40, &random) {
        let checked = cut_at(call, &Disk::new(), &random).await;
        checked.unwrap_or_else(|lost| panic!("the power was cut at call {call}: {lost}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_lies_loses_what_was_acknowledged_and_the_test_finds_it() {
    let random = Seed::from_env_or_random().entropy();
    let calls = calls_of_the_work(&random).await;
    for _ in 0..200 {
        let disk = Disk::new();
        disk.ignore_syncs();
        let call = calls / 2 + random.below(calls / 2);
        if cut_at(call, &disk, &random).await.is_err() {
            return;
        }
    }
    panic!("without syncs nothing was lost: the test cannot find a log that does not sync");
}
