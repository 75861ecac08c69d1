use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use super::*;

const LIMIT: Duration = Duration::from_millis(200);

/// The code of this very program.
fn own_code() -> CodeRanges {
    let program: PathBuf = std::env::current_exe().unwrap();
    CodeRanges { own: Maps::current().code(&program), unrelated: Vec::new() }
}

/// A thread that waits, and what ends it.
fn waiting(name: &str) -> mpsc::Sender<()> {
    let (end, ended) = mpsc::channel();
    let run = move || ended.recv().unwrap_or_default();
    thread::Builder::new().name(name.to_owned()).spawn(run).unwrap();
    end
}

/// A thread that never pauses, until it is told to.
fn busy(name: &str) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let run = move || while !told.load(Ordering::Relaxed) {};
    thread::Builder::new().name(name.to_owned()).spawn(run).unwrap();
    stop
}

fn is_named(threads: &[ForeignThread], name: &str) -> bool {
    threads.iter().any(|it| it.name == name)
}

#[test]
fn a_thread_that_waits_in_the_code_is_found_there_with_its_name() {
    let end = waiting("waits-inside");
    let found = find_threads_in(&own_code(), StartTime::of_calling_thread(), LIMIT);
    let Occupancy::Occupied(threads) = found else { panic!("{found:?}") };
    assert!(is_named(&threads, "waits-inside"), "{threads:?}");
    drop(end);
}

#[test]
fn a_thread_that_began_elsewhere_is_trusted_with_what_lies_about_on_its_stack() {
    let CodeRanges { own, .. } = own_code();
    let end = waiting("innocent");
    let code = CodeRanges { unrelated: own.clone(), own };
    match find_threads_in(&code, StartTime::of_calling_thread(), LIMIT) {
        // Those of other tests may be busy.
        Occupancy::Free { .. } | Occupancy::Unknown(_) => {}
        Occupancy::Occupied(threads) => assert!(!is_named(&threads, "innocent"), "{threads:?}"),
    }
    drop(end);
}

#[test]
fn a_thread_that_waits_elsewhere_is_known_as_younger_and_not_as_inside() {
    let since = thread::spawn(StartTime::of_calling_thread).join().unwrap();
    let end = waiting("waits-outside");
    // Other tests may keep a thread of theirs busy.
    match find_threads_in(&CodeRanges::default(), since, LIMIT) {
        Occupancy::Free { younger } => assert!(is_named(&younger.unwrap(), "waits-outside")),
        Occupancy::Unknown(threads) => assert!(!is_named(&threads, "waits-outside"), "{threads:?}"),
        Occupancy::Occupied(threads) => panic!("{threads:?}"),
    }
    drop(end);
}

#[test]
fn a_thread_of_a_bay_is_nobody_to_look_at() {
    let (entered, is_in) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let inside = thread::Builder::new().name("of-a-bay".to_owned()).spawn(move || {
        register_bay_thread();
        entered.send(()).unwrap();
        ended.recv().unwrap_or_default();
        unregister_bay_thread();
    });
    is_in.recv().unwrap();
    let unseen = unseen_threads(&BTreeSet::new()).unwrap();
    let name = |id: &u32| fs::read_to_string(format!("/proc/self/task/{id}/comm"));
    assert!(!unseen.iter().any(|id| name(id).is_ok_and(|name| name.trim() == "of-a-bay")));
    drop(end);
    inside.unwrap().join().unwrap();
}

#[test]
fn a_thread_that_never_pauses_is_trusted_if_it_is_older_only() {
    let since = thread::spawn(StartTime::of_calling_thread).join().unwrap();
    let stop = busy("busy");
    let found = find_threads_in(&CodeRanges::default(), since, LIMIT);
    let Occupancy::Unknown(threads) = found else { panic!("{found:?}") };
    assert!(is_named(&threads, "busy"), "{threads:?}");
    // The system counts time in ticks: wait for the next one.
    let busy = threads.iter().find(|it| it.name == "busy").unwrap();
    let later = loop {
        let now = thread::spawn(StartTime::of_calling_thread).join().unwrap();
        if StartTime::of(busy.id).unwrap() < now {
            break now;
        }
    };
    match find_threads_in(&CodeRanges::default(), later, LIMIT) {
        Occupancy::Free { .. } => {}
        Occupancy::Unknown(threads) => assert!(!is_named(&threads, "busy"), "{threads:?}"),
        Occupancy::Occupied(threads) => panic!("{threads:?}"),
    }
    stop.store(true, Ordering::Relaxed);
}
