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
fn own_code() -> Code {
    let program: PathBuf = std::env::current_exe().unwrap();
    Code { own: Maps::of_now().code(&program), innocent: Vec::new() }
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

fn is_named(threads: &[Stranger], name: &str) -> bool {
    threads.iter().any(|it| it.name == name)
}

#[test]
fn a_thread_that_waits_in_the_code_is_found_there_with_its_name() {
    let end = waiting("waits-inside");
    let found = find(&own_code(), Moment::of_own_start(), LIMIT);
    let Found::Inside(threads) = found else { panic!("{found:?}") };
    assert!(is_named(&threads, "waits-inside"), "{threads:?}");
    drop(end);
}

#[test]
fn a_thread_that_began_elsewhere_is_trusted_with_what_lies_about_on_its_stack() {
    let Code { own, .. } = own_code();
    let end = waiting("innocent");
    let code = Code { innocent: own.clone(), own };
    match find(&code, Moment::of_own_start(), LIMIT) {
        // Those of other tests may be busy.
        Found::Nobody { .. } | Found::Restless(_) => {}
        Found::Inside(threads) => assert!(!is_named(&threads, "innocent"), "{threads:?}"),
    }
    drop(end);
}

#[test]
fn a_thread_that_waits_elsewhere_is_known_as_younger_and_not_as_inside() {
    let since = thread::spawn(Moment::of_own_start).join().unwrap();
    let end = waiting("waits-outside");
    // Other tests may keep a thread of theirs busy.
    match find(&Code::default(), since, LIMIT) {
        Found::Nobody { younger } => assert!(is_named(&younger, "waits-outside"), "{younger:?}"),
        Found::Restless(threads) => assert!(!is_named(&threads, "waits-outside"), "{threads:?}"),
        Found::Inside(threads) => panic!("{threads:?}"),
    }
    drop(end);
}

#[test]
fn a_thread_of_a_bay_is_nobody_to_look_at() {
    let (entered, is_in) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let inside = thread::Builder::new().name("of-a-bay".to_owned()).spawn(move || {
        enter_bay();
        entered.send(()).unwrap();
        ended.recv().unwrap_or_default();
        leave_bay();
    });
    is_in.recv().unwrap();
    let unseen = strangers(&BTreeSet::new()).unwrap();
    let name = |id: &u32| fs::read_to_string(format!("/proc/self/task/{id}/comm"));
    assert!(!unseen.iter().any(|id| name(id).is_ok_and(|name| name.trim() == "of-a-bay")));
    drop(end);
    inside.unwrap().join().unwrap();
}

#[test]
fn a_thread_that_never_pauses_is_trusted_if_it_is_older_only() {
    let since = thread::spawn(Moment::of_own_start).join().unwrap();
    let stop = busy("busy");
    let found = find(&Code::default(), since, LIMIT);
    let Found::Restless(threads) = found else { panic!("{found:?}") };
    assert!(is_named(&threads, "busy"), "{threads:?}");
    // The system counts time in ticks: wait for the next one.
    let busy = threads.iter().find(|it| it.name == "busy").unwrap();
    let later = loop {
        let now = thread::spawn(Moment::of_own_start).join().unwrap();
        if started(busy.id).unwrap() < now {
            break now;
        }
    };
    match find(&Code::default(), later, LIMIT) {
        Found::Nobody { .. } => {}
        Found::Restless(threads) => assert!(!is_named(&threads, "busy"), "{threads:?}"),
        Found::Inside(threads) => panic!("{threads:?}"),
    }
    stop.store(true, Ordering::Relaxed);
}
