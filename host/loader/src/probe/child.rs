//! The child process, which is the probe program after it was started with [`PROBE_ARGUMENT`].

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
    thread,
};

use hotbay_access::named_in_proc;
use hotbay_plugin_api::abi::API_VERSION;
use rustix::{
    io::fcntl_dupfd_cloexec,
    stdio::{dup2_stdin, dup2_stdout},
};
use serde::de::DeserializeOwned;

use super::{
    ProbeError, Request,
    answer::Answer,
    confine, descriptors,
    handshake::HandshakeRequest,
    process_state::ProcessState,
    role::{self, Task},
};
use crate::{BayThreads, Refusal, UniqueKept, elf::SymbolNames, library::Library, mapped};

/// Turns this process into a probe if its arguments say so; otherwise returns at once.
///
/// Call this first thing in `main`, before the program parses its arguments or starts a thread.
/// A probe starts itself anew, so that the kernel closes all descriptors but the standard ones, does
/// its work, and exits without returning to `main`. A [`Loader`](crate::Loader) that probes with the running program refuses
/// to be created if this function was not called.
pub fn serve() {
    role::note_served();
    let Some(task) = role::task() else { return };
    let done = match task {
        Task::Handshake => answer_handshake(),
        Task::StartAnew(path) => {
            descriptors::close_at_exec().and_then(|()| Err(role::start_anew(&path)))
        }
        Task::Load(path) => answer(&path),
    };
    // A failure cannot be reported: the standard error of a probe goes nowhere.
    std::process::exit(done.is_err().into());
}

fn read_request<R: DeserializeOwned>() -> io::Result<R> {
    let mut request = Vec::new();
    io::stdin().lock().read_to_end(&mut request)?;
    Ok(serde_json::from_slice(&request)?)
}

fn answer_handshake() -> io::Result<()> {
    let HandshakeRequest { nonce } = read_request()?;
    let answer = serde_json::to_string(&Answer::Ready { api_version: API_VERSION })?;
    let mut stdout = io::stdout().lock();
    write!(stdout, "{nonce}{answer}{nonce}")?;
    stdout.flush()
}

fn answer(path: &Path) -> io::Result<()> {
    let request: Request = read_request()?;
    let nonce = request.nonce.as_bytes();
    let mut output = match take_standard_streams() {
        Ok(output) => output,
        Err(error) => {
            let refusal = cannot_probe("can't open /dev/null", error);
            return refuse(io::stdout().lock(), nonce, refusal);
        }
    };
    let unconfined = match confine::confine(&request) {
        Ok(unconfined) => unconfined,
        Err(error) => return refuse(output, nonce, cannot_probe("can't be confined", error)),
    };
    // Whatever ends this process from here on is put down to the library.
    output.write_all(nonce)?;
    let (answer, library) = match load_on_thread(path, &request.entry) {
        Ok((manifest, library)) => {
            let unique_kept = find_sharing(&library, &request.unique);
            (Answer::Good { manifest, unconfined, unique_kept }, Some(library))
        }
        Err(refusal) => (Answer::from(refusal), None),
    };
    output.write_all(&serde_json::to_vec(&answer)?)?;
    // The host will unload the library one day, so a crash in its destructors must happen here.
    if let Some(library) = library.and_then(Arc::into_inner) {
        library.close_in_probe();
    }
    // The nonce at the end proves that the child got this far: a library can end the process
    // before, and with success.
    output.write_all(nonce)
}

/// Answers that the library was not even loaded.
fn refuse(mut output: impl Write, nonce: &[u8], refusal: Refusal) -> io::Result<()> {
    let answer = serde_json::to_vec(&Answer::from(refusal))?;
    output.write_all(&[nonce, &answer, nonce].concat())?;
    output.flush()
}

/// Loads the library on a thread that ends before the library is unloaded, as in the host. A
/// thread-local with a destructor on the main thread would prevent that.
fn load_on_thread(path: &Path, entry: &str) -> Result<(String, Arc<Library>), Refusal> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, || load(path, entry));
        let thread = thread.map_err(|error| cannot_probe("can't start a thread", error))?;
        let panicked = |_| cannot_probe("failed", io::Error::other("a panic"));
        thread.join().map_err(panicked)?
    })
}

/// Loads the library and makes the calls that the host makes for every plugin.
fn load(path: &Path, entry: &str) -> Result<(String, Arc<Library>), Refusal> {
    let unknown = |error| cannot_probe("can't see what it is like", error);
    let before = ProcessState::current().map_err(unknown)?;
    let (library, module) = mapped::open(path, entry, BayThreads::default())?;
    let manifest = module.manifest();
    module.connect_log("probed".into(), None);
    module.close();
    let changed = before.changed_since().map_err(unknown)?;
    let refusal = match (changed, manifest) {
        (None, Ok(manifest)) => return Ok((manifest, library)),
        (Some(changed), _) => Refusal::Meddling(changed.to_owned()),
        (None, Err(refusal)) => refusal,
    };
    // Unloading such a library could crash this process and so hide the reason.
    Library::keep(library);
    Err(refusal)
}

/// Finds a library that this one brings along and that defines or uses one of the symbols as well.
fn find_sharing(library: &Library, unique: &[String]) -> Option<UniqueKept> {
    if unique.is_empty() {
        return None;
    }
    library.dependencies().paths().into_iter().find_map(|path| {
        let library = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(names) = SymbolNames::of(&path) else {
            return Some(UniqueKept::Unreadable { library });
        };
        let symbol = unique.iter().find(|symbol| names.has(symbol))?.clone();
        Some(UniqueKept::SharedWith { symbol, library })
    })
}

fn cannot_probe(problem: &str, error: io::Error) -> Refusal {
    let error = named_in_proc(error);
    Refusal::NoProbe(ProbeError::Child(format!("it {problem}: {error}")))
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { code: refusal.code(), text: refusal.detail() }
    }
}

/// Redirects the standard streams to nowhere, so that the library cannot use them, and returns
/// the pipe to the host.
fn take_standard_streams() -> io::Result<File> {
    let output = fcntl_dupfd_cloexec(io::stdout(), 3)?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    Ok(File::from(output))
}
