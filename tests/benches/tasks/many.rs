//! The tasks of a host with 100,000 periodic ones.

use std::{
    fs,
    sync::{PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use hotbay_plugin_api::{Durability, Schedule};
use hotbay_tasks::PreparedTasks;
use hotbay_tests::heap_in_use;
use jiff::{SignedDuration, Timestamp};
use tempfile::tempdir;
use tokio::time::sleep;

use super::host::Host;

const TASKS: usize = 100_000;
/// With this interval, 2,000 runs are due each second.
const INTERVAL: Duration = Duration::from_secs(50);
/// How long runs are observed after all tasks have had their first one.
const OBSERVED: Duration = Duration::from_secs(60);

pub(super) async fn run() {
    idle().await;
    late(Durability::Memory).await;
    late(Durability::Fsync).await;
}

/// The tasks, of which one is due each half millisecond, from the given time on.
fn periodic(host: &Host, start: Timestamp, durability: Durability) -> PreparedTasks {
    let one = host.prepare(|spec| {
        spec.schedule = Schedule::Every(INTERVAL);
        spec.durability = durability;
    });
    let (task, build) = &one[0];
    let tasks = (0..TASKS).map(|n| {
        let mut task = task.clone();
        task.spec.name = format!("t{n}");
        task.spec.starts_at = Some(due(start, n).to_string());
        (task, build.clone())
    });
    tasks.collect()
}

/// The first time at which the task with this number is due.
fn due(start: Timestamp, n: usize) -> Timestamp {
    start + SignedDuration::from_micros(n as i64 * 500)
}

async fn idle() {
    let before = heap_in_use();
    let mut host = Host::new(None).await;
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    let began = Instant::now();
    let tasks = periodic(&host, tomorrow, Durability::Memory);
    host.begin(tasks);
    host.control().ask(hotbay_tasks::TaskRequest::Inspect { run: 1 }).await.ok();
    let installed = began.elapsed();
    let bytes = heap_in_use().saturating_sub(before) / TASKS as u64;
    println!(
        "many: {TASKS} tasks installed in {installed:.1?}, {bytes} bytes each in all of the host"
    );
    let (began, used) = (Instant::now(), cpu_time());
    sleep(Duration::from_secs(20)).await;
    let used = (cpu_time() - used).as_secs_f64() / began.elapsed().as_secs_f64();
    println!("many: nothing is due: {:.2} % of a core", used * 100.0);
    host.stop().await;
}

async fn late(durability: Durability) {
    let folder = tempdir().expect("there is room for a folder");
    let mut host = Host::new((durability != Durability::Memory).then(|| folder.path())).await;
    let start = Timestamp::now() + SignedDuration::from_secs(10);
    let tasks = periodic(&host, start, durability);
    host.begin(tasks);
    sleep(Duration::from_secs(10) + INTERVAL).await;
    no_op::NOTED.lock().unwrap_or_else(PoisonError::into_inner).reserve(300_000);
    no_op::NOTES.store(true, Ordering::Relaxed);
    let (began, used) = (Instant::now(), cpu_time());
    sleep(OBSERVED).await;
    no_op::NOTES.store(false, Ordering::Relaxed);
    let used = (cpu_time() - used).as_secs_f64() / began.elapsed().as_secs_f64();
    let noted = std::mem::take(&mut *no_op::NOTED.lock().unwrap_or_else(PoisonError::into_inner));
    let interval = INTERVAL.as_nanos() as i128;
    let late = noted.iter().map(|(id, at)| {
        // `no-op/t1/2` is a run of the task with the number 1.
        let n =
            id.split('/').nth(1).and_then(|task| task[1..].parse().ok()).expect("the id of a run");
        let since = i128::from(*at) - due(start, n).as_nanosecond();
        Duration::from_nanos(u64::try_from(since.rem_euclid(interval)).expect("it is short"))
    });
    let mut late: Vec<_> = late.collect();
    late.sort_unstable();
    let at = |of_1_000: usize| late[(late.len() - 1) * of_1_000 / 1_000];
    println!(
        "many: {durability:?}: {:.0} starts/s, late by: p50 {:.1?}, p99 {:.1?}, p99.9 {:.1?}, the longest \
         {:.1?}; {:.1} % of a core",
        late.len() as f64 / OBSERVED.as_secs_f64(),
        at(500),
        at(990),
        at(999),
        at(1_000),
        used * 100.0,
    );
    host.stop().await;
}

/// Returns the time that the threads of this process have used.
fn cpu_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("it is there").flatten();
    // The first number is the time on a processor in nanoseconds: see proc(5).
    let used = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(used.sum())
}
