//! Finds foreign threads, which belong to no bay and may run a library's code all the same.
//!
//! The threads of a bay are joined before its library is unmapped. But a plugin can start other
//! threads: a C library that it is linked with may do so without telling anybody. A thread of Rust
//! or C++ keeps the library mapped through a thread-local with a destructor. A thread of
//! `pthread_create` alone does not, and `dlclose` would unmap the code under it.
//!
//! So each foreign thread is inspected. While a thread sleeps, the kernel tells its program
//! counter and its stack pointer, and its stack can be read like a file. A word of the stack that
//! is an address in the library's code is taken for a return address, or for the function that
//! the thread was started with. Stacks also hold old words that nobody uses any more, even from
//! another thread that had the same stack before. So a thread that was started in the host's code
//! or in another plugin's code gets a moment to be seen without such a word, and is trusted then.
//! All other threads are not trusted.
//!
//! **What is not found.** A thread that never sleeps: if it is younger than the library, the
//! library is retained; if it is older, the plugin did not start it, and it is trusted. A thread
//! of the host that stays in a function of the plugin for long, called by a signal handler or by
//! a library that the host uses too. A function pointer in memory other than a stack: a plugin
//! that registers a callback with a C library and leaves it there will crash the host one day. A
//! stack that a thread switched away from, as coroutines do, and what is more than 8 MiB up a
//! stack. On aarch64, the caller of a function that stores no return address, if that caller is
//! the only function of the library on the stack and not the one that the thread was started
//! with.
//!
//! **Races.** A thread that was seen elsewhere cannot enter the code again: once the bay is
//! joined, nothing calls into the code but the callbacks mentioned above. A thread that was
//! started during the search was started by a thread in the code. So the code is free only if a
//! second pass finds no thread that was not seen before.

mod inspect;
mod thread;

use std::{
    collections::BTreeSet,
    fs,
    ops::Range,
    sync::Once,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::maps::Maps;
use inspect::{Inspector, Observation, is_supported};

pub(crate) use thread::{ForeignThread, StartTime, own_id};

/// The ids of the threads of all bays. Each of them runs the code of its own plugin only.
static BAY_THREADS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// The longest pause between two passes.
const MAX_PAUSE: Duration = Duration::from_millis(10);

/// Registers the calling thread as a thread of a bay.
pub(crate) fn register_bay_thread() {
    BAY_THREADS.lock().insert(own_id());
}

/// Removes the calling thread from the threads of bays, because it ends.
pub(crate) fn unregister_bay_thread() {
    BAY_THREADS.lock().remove(&own_id());
}

/// The address ranges that a search needs.
#[derive(Debug, Default)]
pub(crate) struct CodeRanges {
    /// The code of the library, and of all that is unmapped together with it.
    pub(crate) own: Vec<Range<usize>>,
    /// The code that is unrelated to the library. A thread that was started there is trusted.
    pub(crate) unrelated: Vec<Range<usize>>,
}

/// Whether foreign threads run a library's code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Occupancy {
    /// These foreign threads run the library's code.
    Occupied(Vec<ForeignThread>),
    /// No thread was seen in the code, but these never slept and could not be inspected.
    Unknown(Vec<ForeignThread>),
    /// No foreign thread runs the library's code. These threads are younger than the library;
    /// `None` if this system does not show where threads are.
    Free { younger: Option<Vec<ForeignThread>> },
}

/// Searches for foreign threads that run the code of a library, which was mapped after `since`.
///
/// Threads that are in the code, or do not sleep, are inspected again until the limit is over. This
/// function blocks the calling thread meanwhile.
pub(crate) fn find_threads_in(code: &CodeRanges, since: StartTime, limit: Duration) -> Occupancy {
    let unsupported = || {
        warn_unsupported();
        Occupancy::Free { younger: None }
    };
    // `/proc/self` is the leader of the thread group, which shows no memory once it has ended.
    let memory = fs::File::open("/proc/thread-self/mem").ok();
    let Some(memory) = memory.filter(|_| is_supported()) else {
        return unsupported();
    };
    let began = Instant::now();
    let mut search = Search::default();
    let mut pause = MAX_PAUSE / 32;
    loop {
        let Some(unseen) = unseen_threads(&search.outside) else { return unsupported() };
        if unseen.is_empty() {
            let younger = named(search.outside, since).filter(ForeignThread::is_younger);
            return Occupancy::Free { younger: Some(younger.collect()) };
        }
        let maps = Maps::current();
        let executable = maps.executable();
        let inspector = Inspector { code, maps: &maps, executable: &executable, memory: &memory };
        let Pass { running, mut uncertain } = search.pass(&inspector, unseen);
        let (younger, older): (Vec<_>, Vec<_>) =
            named(running, since).partition(ForeignThread::is_younger);
        let passed = began.elapsed();
        if passed >= limit / 4 {
            // The host's own threads that compute, and old words on their stacks, must not retain
            // every library.
            let trusted = uncertain.drain(..).chain(older.iter().map(|it| it.id));
            search.outside.extend(trusted);
        }
        let is_undecided = !(younger.is_empty() && older.is_empty() && uncertain.is_empty());
        if search.inside.is_empty() && !is_undecided {
            // Another pass finds the threads that were started meanwhile.
            continue;
        }
        if passed < limit {
            std::thread::sleep(pause);
            pause = (pause * 2).min(MAX_PAUSE);
        } else if !search.inside.is_empty() {
            return Occupancy::Occupied(named(search.inside, since).collect());
        } else if !younger.is_empty() {
            return Occupancy::Unknown(younger);
        }
    }
}

/// What is known of the foreign threads so far.
#[derive(Debug, Default)]
struct Search {
    /// The threads that were seen outside of the code, or are trusted to be.
    outside: BTreeSet<u32>,
    /// The threads that were seen in the code.
    inside: BTreeSet<u32>,
}

/// The threads that one pass could not decide about.
#[derive(Debug, Default)]
struct Pass {
    running: Vec<u32>,
    uncertain: Vec<u32>,
}

impl Search {
    /// Inspects each of these threads once.
    fn pass(&mut self, inspector: &Inspector<'_>, threads: Vec<u32>) -> Pass {
        let mut pass = Pass::default();
        for id in threads {
            match inspector.inspect(id) {
                // A thread that was seen inside is assumed to run there.
                Observation::Running if self.inside.contains(&id) => {}
                Observation::Running => pass.running.push(id),
                Observation::Inside => drop(self.inside.insert(id)),
                Observation::Uncertain => pass.uncertain.push(id),
                Observation::Ended => drop(self.inside.remove(&id)),
                Observation::Outside => {
                    self.inside.remove(&id);
                    self.outside.insert(id);
                }
            }
        }
        pass
    }
}

/// Logs once that this system lacks the files in `/proc` that an inspection needs.
fn warn_unsupported() {
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| {
        tracing::warn!(
            "this system does not show where threads stand: a thread that a plugin starts \
             behind the host's back and leaves running may crash it"
        );
    });
}

/// Returns the foreign threads other than the calling thread and those that are known.
fn unseen_threads(known: &BTreeSet<u32>) -> Option<Vec<u32>> {
    let entries = fs::read_dir("/proc/self/task").ok()?;
    let ids: Vec<u32> =
        entries.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok()).collect();
    let own = own_id();
    let of_bays = BAY_THREADS.lock();
    let is_unseen = |id: &u32| *id != own && !of_bays.contains(id) && !known.contains(id);
    Some(ids.into_iter().filter(is_unseen).collect())
}

/// Looks up the names and ages of threads. Threads that have ended are left out.
fn named(
    ids: impl IntoIterator<Item = u32>,
    since: StartTime,
) -> impl Iterator<Item = ForeignThread> {
    ids.into_iter().filter_map(move |id| ForeignThread::of(id, since))
}

#[cfg(test)]
mod tests;
