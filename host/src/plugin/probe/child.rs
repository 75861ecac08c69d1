//! The child itself: this program, started once more, with other work to do.

use std::{
    ffi::OsString,
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use rustix::{
    io::fcntl_dupfd_cloexec,
    stdio::{dup2_stdin, dup2_stdout},
};

use super::{Answer, Good, PROBE_ARGUMENT, Request, confine, descriptors};
use crate::plugin::{Refusal, library::Library, texts::received};

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
    let mut library = None;
    let looked = look(path, &request, &mut library);
    let mut said = request.nonce.into_bytes();
    serde_json::to_writer(&mut said, &Answer::from(looked))?;
    listener.write_all(&said)?;
    // The host will unload it one day: what goes wrong then shall go wrong here.
    if let Some(library) = library {
        library.close();
    }
    Ok(())
}

fn look(path: &Path, asked: &Request, library: &mut Option<Library>) -> Result<Good, Refusal> {
    let unconfined = confine::confine(asked)
        .map_err(|error| Refusal::NoProbe(format!("it can't be confined: {error}")))?;
    let (opened, module) = Library::open(path, &asked.entry)?;
    *library = Some(opened);
    let manifest = received(module.manifest()())?;
    module.close()();
    Ok(Good { manifest, unconfined })
}

impl From<Result<Good, Refusal>> for Answer {
    fn from(looked: Result<Good, Refusal>) -> Self {
        match looked {
            Ok(good) => Self::Good(good),
            Err(refusal) => {
                let text = refusal.detail().map_or_else(|| refusal.to_string(), str::to_owned);
                Self::Refused { code: refusal.code().to_owned(), text }
            }
        }
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
