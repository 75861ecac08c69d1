//! Threads that are of no bay, and may be in a library's code all the same.
//!
//! A bay's own threads are joined before its library is unmapped. But a plugin may start
//! others: a library in C that it brings along does so for its own purposes and tells nobody.
//! A thread of Rust's or C++'s pins the library through a thread-local's destructor; one of
//! `pthread_create` alone does not, and `dlclose` would take the code away under it.
//!
//! So every thread outside of the bays is looked at. While a thread sleeps, the system says
//! where it stands and how far its stack is in use, and the stack is read like a file. A word
//! of it in the library's code is taken for a way back there, or for where the thread began.
//! Words lie about on a stack that nobody uses any more, also from another thread that had the
//! same stack before. So a thread that began in the host's own code or in another plugin's
//! gets a moment to be seen without such a word, and is trusted then. All others are not.
//!
//! **What is not seen.** A thread that never sleeps: if it is younger than the library, the
//! library stays; if it is older, the plugin did not start it, and it is trusted. A thread of
//! the host's that stays in a function of the plugin's for long, called by a signal or by a
//! library that the host uses as well. An address that lies in memory and not on a stack: who
//! gave a C library a function to call back, and leaves it there, is called into nothing one
//! day. What is below a stack that a thread switched away from, as coroutines do, or more than
//! 8 MiB up. On aarch64, the caller of a function that stores no return address, if it is the
//! only one in the library and did not begin there.
//!
//! **Races.** A thread that was seen elsewhere does not come into the code anew: nothing calls
//! in there any more once the bay is joined, callbacks excepted, see above. One that was
//! started in the meantime was started by a thread in the code; so all is well only if a
//! second look finds nobody who was not seen yet.

mod thread;

use std::{
    collections::BTreeSet,
    fmt, fs,
    ops::Range,
    sync::{Mutex, Once, PoisonError},
    time::{Duration, Instant},
};

use super::maps::Maps;
use thread::{Eye, Sight, can_be_seen};

/// The threads of all bays. Each runs the code of its own plugin and nobody else's.
static OF_BAYS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// The longest pause between two looks at those who moved.
const PAUSE: Duration = Duration::from_millis(10);

/// Makes the calling thread one of a bay.
pub(crate) fn enter_bay() {
    OF_BAYS.lock().unwrap_or_else(PoisonError::into_inner).insert(own_id());
}

/// The calling thread ends.
pub(crate) fn leave_bay() {
    OF_BAYS.lock().unwrap_or_else(PoisonError::into_inner).remove(&own_id());
}

/// A moment, as the system notes it for the start of threads: in ticks since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// When the calling thread was started. One that is older is older than all it does.
    pub(crate) fn of_own_start() -> Self {
        started(own_id()).unwrap_or(Self(0))
    }
}

/// A thread outside of the bays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stranger {
    id: u32,
    name: String,
    age: Age,
}

/// Whether a plugin can have started a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Older,
    Younger,
}

/// Where code lies.
#[derive(Debug, Default)]
pub(crate) struct Code {
    /// The library's, and of all that goes with it.
    pub(crate) own: Vec<Range<usize>>,
    /// Whoever began here has nothing to do with the library.
    pub(crate) innocent: Vec<Range<usize>>,
}

/// Who is in a library's code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// These are.
    Inside(Vec<Stranger>),
    /// Nobody was seen there, but these are never seen to stand still.
    Restless(Vec<Stranger>),
    /// Nobody. These are younger than the library.
    Nobody { younger: Vec<Stranger> },
}

/// Looks for threads that are in this code, which was mapped at `since`.
///
/// Those who are in it, or move, are looked at again until the limit is over. Blocks.
pub(crate) fn find(code: &Code, since: Moment, limit: Duration) -> Found {
    let blind = || {
        say_blind();
        Found::Nobody { younger: Vec::new() }
    };
    let Some(memory) = fs::File::open("/proc/self/mem").ok().filter(|_| can_be_seen()) else {
        return blind();
    };
    let began = Instant::now();
    let (mut outside, mut inside) = (BTreeSet::new(), BTreeSet::new());
    let mut pause = PAUSE / 32;
    loop {
        let Some(unseen) = strangers(&outside) else { return blind() };
        if unseen.is_empty() {
            let younger = outside.iter().filter_map(|id| Stranger::of(*id, since));
            return Found::Nobody { younger: younger.filter(Stranger::is_younger).collect() };
        }
        let maps = Maps::of_now();
        let eye = Eye { code, maps: &maps, executable: &maps.executable(), memory: &memory };
        let (mut restless, mut doubtful) = (Vec::new(), Vec::new());
        for id in unseen {
            match eye.look(id) {
                // One that was seen inside moves there, for all that is known.
                Sight::Moving if inside.contains(&id) => {}
                Sight::Moving => restless.push(id),
                Sight::Inside => drop(inside.insert(id)),
                Sight::Doubtful => doubtful.push(id),
                Sight::Gone => drop(inside.remove(&id)),
                Sight::Outside => {
                    inside.remove(&id);
                    outside.insert(id);
                }
            }
        }
        let named = |ids: Vec<u32>| ids.into_iter().filter_map(|id| Stranger::of(id, since));
        let (younger, older): (Vec<_>, Vec<_>) = named(restless).partition(Stranger::is_younger);
        let passed = began.elapsed();
        if passed >= limit / 4 {
            // What a host's own threads compute, and what lies about on their stacks, is no
            // reason to keep every library.
            outside.extend(doubtful.drain(..).chain(older.iter().map(|it| it.id)));
        }
        if inside.is_empty() && younger.is_empty() && doubtful.is_empty() && older.is_empty() {
            // Once more, for those who were started meanwhile.
            continue;
        }
        if passed < limit {
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE);
        } else if !inside.is_empty() {
            return Found::Inside(named(inside.into_iter().collect()).collect());
        } else if !younger.is_empty() {
            return Found::Restless(younger);
        }
    }
}

/// On a system without these files nobody is seen.
fn say_blind() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            "this system does not show where threads stand: a thread that a plugin starts \
             behind the host's back and leaves running may crash it"
        );
    });
}

/// The threads of this process that are neither the calling one, nor of a bay, nor among these.
fn strangers(known: &BTreeSet<u32>) -> Option<Vec<u32>> {
    let entries = fs::read_dir("/proc/self/task").ok()?;
    let ids: Vec<u32> =
        entries.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok()).collect();
    let own = own_id();
    let of_bays = OF_BAYS.lock().unwrap_or_else(PoisonError::into_inner);
    let is_stranger = |id: &u32| *id != own && !of_bays.contains(id) && !known.contains(id);
    Some(ids.into_iter().filter(is_stranger).collect())
}

fn own_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// When a thread was started: the 22nd field of its `stat`, see proc_pid_stat(5).
fn started(id: u32) -> Option<Moment> {
    let stat = fs::read_to_string(format!("/proc/self/task/{id}/stat")).ok()?;
    // Its name stands in parentheses, and may hold any character.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok().map(Moment)
}

impl Stranger {
    /// None if it ended.
    fn of(id: u32, since: Moment) -> Option<Self> {
        let name = fs::read(format!("/proc/self/task/{id}/comm")).ok()?;
        let name: String = String::from_utf8_lossy(&name).trim_end().escape_debug().collect();
        // Ticks are long, so one that was started in the same tick may be younger.
        let age = if started(id)? < since { Age::Older } else { Age::Younger };
        Some(Self { id, name, age })
    }

    pub(crate) fn is_younger(&self) -> bool {
        self.age == Age::Younger
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.name, self.id)
    }
}

#[cfg(test)]
mod tests;
