//! The disk fails, or is full, and works again.

use cast_testkit::{
    Seed, SeededEntropy,
    disk::{Disk, Fault},
};

use crate::{
    power::{calls_of_the_work, chosen},
    work::{lost, new_folder, work},
};

/// Meets some calls with a fault; what is lost, now and after a power cut at the end.
async fn failing(
    fault: Fault,
    from: u64,
    calls: u64,
    random: &SeededEntropy,
) -> Result<(), String> {
    let (folder, after) = (new_folder(), new_folder());
    let disk = Disk::new();
    disk.plan(from, calls, fault);
    let known = work(folder.path(), &disk, random).await;
    let left = disk.after_a_power_cut(folder.path(), after.path(), random);
    left.expect("the folder is copied");
    lost(after.path(), &known).await?;
    lost(folder.path(), &known).await
}

async fn nothing_is_lost(fault: Fault) {
    let random = Seed::from_env_or_random().entropy();
    let calls = calls_of_the_work(&random).await;
    for from in chosen(calls, 20, &random) {
        let count = 1 + random.below(6);
        let checked = failing(fault, from, count, &random).await;
        checked.unwrap_or_else(|lost| panic!("{fault:?} for {count} calls from {from}: {lost}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_for_a_while_loses_nothing() {
    nothing_is_lost(Fault::Error).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_for_a_while_loses_nothing() {
    nothing_is_lost(Fault::Full).await;
}
