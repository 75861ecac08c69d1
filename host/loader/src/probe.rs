//! A child process that loads a library before the host does, because a damaged library can
//! kill the process that loads it.
//!
//! The child inherits nothing, is held within limits ([`confine`]), loads the library, asks it
//! for its manifest, unloads it, and exits. Its answer counts only behind a random number that
//! the child was told before it loaded anything, and only if the child exited successfully. The
//! child and all processes that it started are killed when its time is over, or when it exited.
//!
//! The child writes the number once more right before it loads the library. If it ends before that,
//! the library is not the cause, and neither is it if another process killed the child: the system
//! may be short of memory, threads or descriptors. Its time is measured by a clock that stands still
//! while the host is frozen with it (`running_time`).
//!
//! The probe protects the host from mistakes, from damage, and from simple malice. It is no
//! sandbox: a library that behaves well in the probe is loaded, and a hostile library can find
//! the random number in its own memory and forge an answer. Which libraries may be loaded at all
//! is decided by the trust mode.

mod answer;
mod child;
mod confine;
mod descriptors;
mod error;
mod exchange;
mod handshake;
mod process_group;
mod process_state;
mod role;
mod running_time;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use hotbay_access::named_in_proc;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

use crate::{Descriptor, Refusal, blocking::run_on_thread, elf::entry_symbol};
use answer::judge;
use exchange::{Exchange, Outcome};

pub(crate) use answer::Probed;
pub use child::serve;
pub use error::ProbeError;

/// The first argument of a program that is started as a probe. The path of the library follows;
/// without a path, the program only has to answer the handshake.
///
/// The `hotbay` binary serves it. Another program that embeds the host serves it by calling
/// [`serve`] first thing in `main`, or names a `hotbay` binary in its
/// [`LoaderConfig`](crate::LoaderConfig).
pub const PROBE_ARGUMENT: &str = "__probe";

/// What the host writes to the standard input of a child that is to load a library.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    /// The random number that the answer must begin and end with.
    nonce: String,
    /// The symbol of the library's module.
    entry: String,
    /// The process id of the host. The child exits when that process is gone.
    parent: i32,
    /// The processor time that the child may use.
    cpu_seconds: u64,
    /// The number of bytes that the child may map.
    memory: u64,
    /// The symbols that were unique and are ordinary in the copy.
    #[serde(default)]
    unique: Vec<String>,
}

/// Starts probes, which load a library in a child process first.
#[derive(Debug)]
pub(crate) struct Probe {
    /// The probe program; `None` for the running program.
    program: Option<PathBuf>,
    limit: Duration,
    memory: u64,
}

impl Probe {
    pub(crate) fn new(program: Option<PathBuf>, limit: Duration, memory: u64) -> Self {
        Self { program, limit, memory }
    }

    /// Returns how long a library may take to load in the child.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Returns the path of the probe program. The running program is started as it was started
    /// itself, even if its file was replaced since.
    fn program(&self) -> PathBuf {
        self.program.clone().unwrap_or_else(|| "/proc/self/exe".into())
    }

    /// Lets a child load the staged library, and returns the library's manifest. The child looks
    /// whether a library that the plugin brings along needs one of the symbols in `unique`, which
    /// are ordinary ones in the copy.
    pub(crate) async fn run(
        &self,
        staged: &Path,
        descriptor: &Descriptor,
        unique: &[String],
    ) -> Result<Probed, Refusal> {
        let failed = |source| Refusal::NoProbe(self.cannot_start(source));
        let request = Request {
            nonce: nonce().map_err(failed)?,
            entry: entry_symbol(descriptor),
            parent: rustix::process::getpid().as_raw_nonzero().get(),
            cpu_seconds: self.limit.as_secs().saturating_add(2),
            memory: self.memory,
            unique: unique.to_vec(),
        };
        let exchange = Exchange {
            program: self.program(),
            library: Some(staged.to_owned()),
            request: serde_json::to_vec(&request).map_err(|error| failed(error.into()))?,
            limit: self.limit,
        };
        match run_until_dropped(exchange).await.map_err(failed)? {
            Outcome::Exited { output, status } => {
                judge(&output, status, &request.nonce, descriptor)
            }
            Outcome::TimedOut => Err(Refusal::ProbeTimeout { limit: self.limit }),
            Outcome::TooMuchOutput => {
                Err(Refusal::Manifest("it is larger than a megabyte".to_owned()))
            }
        }
    }

    fn cannot_start(&self, source: io::Error) -> ProbeError {
        ProbeError::Start { program: self.program(), source: named_in_proc(source) }
    }
}

/// Runs an exchange on a thread of its own, and kills the child soon if this future is dropped.
///
/// All of an exchange happens on one thread, because the kernel kills the child when the thread
/// that started it ends.
async fn run_until_dropped(exchange: Exchange) -> io::Result<Outcome> {
    struct CancelOnDrop(Arc<AtomicBool>);
    impl Drop for CancelOnDrop {
        fn drop(&mut self) {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let guard = CancelOnDrop(Arc::default());
    let is_cancelled = Arc::clone(&guard.0);
    run_on_thread(move || exchange.run(&is_cancelled)).await?
}

/// Returns a random number that nobody can guess.
fn nonce() -> io::Result<String> {
    let mut bytes = [0; 16];
    let filled = getrandom(&mut bytes, GetRandomFlags::empty())?;
    debug_assert_eq!(filled, bytes.len(), "the kernel returns up to 256 bytes at once");
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests;
