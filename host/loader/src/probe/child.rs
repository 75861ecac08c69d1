//! The child itself: this program, started once more, with other work to do.

use std::{
    ffi::OsString,
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    thread,
};

use rustix::{
    io::fcntl_dupfd_cloexec,
    stdio::{dup2_stdin, dup2_stdout},
};

use super::{Answer, Good, PROBE_ARGUMENT, Request, confine, descriptors, traces::Traces};
use crate::{Refusal, library::Library, log, texts::received};

/// Makes this process a probe if its arguments say so; otherwise does nothing.
///
/// As a probe, it loads the library that the second argument names, says what the
/// library's manifest is, and ends the process. Call it first thing in `main`: a
/// probe closes all descriptors but the standard ones.
pub fn serve() {
    let Some(path) = argument() else { return };
    // Of a failure there is nobody to tell: a probe's standard error goes nowhere.
    std::process::exit(answer(&path).is_err().into());
}

/// Whether this process was started to be a probe.
pub(super) fn is_meant() -> bool {
    argument().is_some()
}

fn argument() -> Option<PathBuf> {
    let mut arguments = std::env::args_os().skip(1);
    let first: OsString = arguments.next()?;
    (first == PROBE_ARGUMENT).then(|| arguments.next().map(PathBuf::from))?
}

fn answer(path: &Path) -> std::io::Result<()> {
    let mut request = Vec::new();
    std::io::stdin().lock().read_to_end(&mut request)?;
    let request: Request = serde_json::from_slice(&request)?;
    descriptors::close_inherited()?;
    let mut listener = take_standard_streams()?;
    let (answer, library) = match confine::confine(&request) {
        Ok(unconfined) => {
            // As in the host, a thread runs the library's code and is gone when the library is
            // unloaded, which a thread-local on this thread would prevent.
            let looked = thread::scope(|scope| scope.spawn(|| look(path, &request.entry)).join());
            match looked.map_err(|_| std::io::Error::other("a panic"))? {
                Ok((manifest, library)) => {
                    (Answer::Good(Good { manifest, unconfined }), Some(library))
                }
                Err(refusal) => (Answer::from(refusal), None),
            }
        }
        Err(error) => (Refusal::NoProbe(format!("it can't be confined: {error}")).into(), None),
    };
    let mut said = request.nonce.clone().into_bytes();
    serde_json::to_writer(&mut said, &answer)?;
    listener.write_all(&said)?;
    // The host will unload it one day: what goes wrong then shall go wrong here.
    if let Some(library) = library {
        library.close();
    }
    // The last word. A library that ends the process before, however well, is found out.
    listener.write_all(request.nonce.as_bytes())
}

/// Calls what the host will call in any case, from loading to the end.
fn look(path: &Path, entry: &str) -> Result<(String, Library), Refusal> {
    let unseen = |error| Refusal::NoProbe(format!("it can't see what it is like: {error}"));
    let before = Traces::of_now().map_err(unseen)?;
    let (library, module) = Library::open(path, entry)?;
    let manifest = received(module.manifest()());
    log::connect(module, "probed".into());
    module.close()();
    if let Some(changed) = before.changed_since().map_err(unseen)? {
        // Unloading it now could be the end of this process, and hide the reason.
        library.keep();
        return Err(Refusal::Meddling(changed.to_owned()));
    }
    match manifest {
        Ok(manifest) => Ok((manifest, library)),
        Err(refusal) => {
            library.keep();
            Err(refusal)
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.detail().map_or_else(|| refusal.to_string(), str::to_owned);
        Self::Refused { code: refusal.code().to_owned(), text }
    }
}

/// Leaves the library no stream to read or write, and keeps the way to who asked.
fn take_standard_streams() -> std::io::Result<File> {
    let listener = fcntl_dupfd_cloexec(std::io::stdout(), 3)?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    Ok(File::from(listener))
}
