//! A child process that loads a library first: a damaged one kills its loader.
//!
//! The child inherits nothing, is held within limits ([`confine`]), loads the library,
//! asks for its manifest, unloads it, and ends. What it says counts only behind a
//! number that it was told before it loaded anything, and only if it came to a good
//! end. It is killed with all its kin when its time is over, or when it ended.
//!
//! This keeps mistakes and damage away from the host, and what is hostile in a simple
//! way. It is no sandbox: a library that behaves as long as it is probed gets in, and
//! one that wants to can find the number in its own memory and lie. What may be loaded
//! at all is for the trust mode to say.

mod child;
mod confine;
mod descriptors;
mod kin;
mod process;
mod traces;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hotbay_plugin_api::Manifest;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::{
    Descriptor, Refusal,
    elf::entry_symbol,
    texts::{find_odd, is_name},
};
use kin::describe;
use process::{Ended, Talk, Watched};

pub use child::serve;

/// The first argument that makes a program a probe; the library's path follows.
///
/// The `hotbay` binary answers to it. Another program that embeds the host does
/// so by calling [`serve`] first thing in `main`, or names a `hotbay` binary in
/// its [`LoaderConfig`](super::LoaderConfig).
pub const PROBE_ARGUMENT: &str = "__probe";

/// What the child is told, on its standard input.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    /// What its answer has to begin with.
    nonce: String,
    /// The symbol behind which the library's module is found.
    entry: String,
    /// Who asks; when that process is gone, so is the child.
    parent: i32,
    /// How much processor time it may use.
    cpu_seconds: u64,
    /// How many bytes it may map.
    memory: u64,
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Good(Good),
    Refused { code: String, text: String },
}

/// A library that loads.
#[derive(Debug, Serialize, Deserialize)]
struct Good {
    manifest: String,
    /// Why the child was less confined than it should be.
    unconfined: Option<String>,
}

/// How to probe.
#[derive(Debug)]
pub(crate) struct Probe {
    program: PathBuf,
    limit: Duration,
    memory: u64,
    /// So many at a time that a busy machine doesn't make good libraries late.
    permits: Semaphore,
}

impl Probe {
    /// Without a program, this very one: as it was started, even if its file was exchanged since.
    pub(crate) fn new(program: Option<PathBuf>, limit: Duration, memory: u64) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            program: program.unwrap_or_else(|| "/proc/self/exe".into()),
            limit,
            memory,
            permits: Semaphore::new(2 * cores),
        }
    }

    /// Has a child load the staged library, and gives the manifest that it brings.
    pub(crate) async fn run(&self, staged: &Path, of: &Descriptor) -> Result<Manifest, Refusal> {
        if child::is_meant() {
            let text = "this program was started as a probe and did not become one; call \
                        `hotbay::loader::serve_probe` first thing in `main`";
            return Err(Refusal::NoProbe(text.to_owned()));
        }
        let failed = |error: &dyn std::fmt::Display| {
            Refusal::NoProbe(format!("{}: {error}", self.program.display()))
        };
        let request = Request {
            nonce: nonce().map_err(|error| failed(&error))?,
            entry: entry_symbol(of),
            parent: rustix::process::getpid().as_raw_nonzero().get(),
            cpu_seconds: self.limit.as_secs() + 2,
            memory: self.memory,
        };
        let talk = Talk {
            program: self.program.clone(),
            staged: staged.to_owned(),
            request: serde_json::to_vec(&request).map_err(|error| failed(&error))?,
            limit: self.limit,
        };
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await.map_err(|error| failed(&error))?;
        let ended = Watched::start(talk).await.map_err(|error| failed(&error))?;
        let (output, status) = match ended {
            Ended::Itself { output, status } => (output, status),
            Ended::Late => return Err(Refusal::ProbeTimeout { limit: self.limit }),
            Ended::TooMuch => {
                return Err(Refusal::Manifest("it is larger than a megabyte".to_owned()));
            }
        };
        let Some((answer, end)) = parse(&output, &request.nonce) else {
            return Err(Refusal::ProbeCrashed(describe(status)));
        };
        if end == End::Broken || !status.success() {
            let how = format!("{}, when it was unloaded", describe(status));
            return Err(Refusal::ProbeCrashed(how));
        }
        match answer {
            Answer::Good(Good { manifest, unconfined }) => {
                if let Some(reason) = unconfined {
                    tracing::warn!(reason, "the probe is less confined here than it should be");
                }
                check(&manifest, of)
            }
            Answer::Refused { code, text } => Err(match code.as_str() {
                "linking" => Refusal::Linking(text),
                "layout" => Refusal::Layout(text),
                "manifest" => Refusal::Manifest(text),
                "meddling" => Refusal::Meddling(text),
                _ => Refusal::NoProbe(text),
            }),
        }
    }
}

/// A number that nobody guesses.
fn nonce() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    debug_assert_eq!(filled, bytes.len(), "so few bytes come at once");
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// Whether the child got to its last word, the nonce once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Broken,
}

fn parse(output: &[u8], nonce: &str) -> Option<(Answer, End)> {
    let said = output.strip_prefix(nonce.as_bytes())?;
    let (said, end) = match said.strip_suffix(nonce.as_bytes()) {
        Some(said) => (said, End::Whole),
        None => (said, End::Broken),
    };
    Some((serde_json::from_slice(said).ok()?, end))
}

/// Reads a manifest and holds it against the descriptor.
pub(crate) fn check(json: &str, descriptor: &Descriptor) -> Result<Manifest, Refusal> {
    if json.is_empty() {
        return Err(Refusal::Manifest("it panicked while it was made".to_owned()));
    }
    let manifest: Manifest =
        serde_json::from_str(json).map_err(|error| Refusal::Manifest(error.to_string()))?;
    if manifest.name != descriptor.name {
        let (a, b) = (&manifest.name, &descriptor.name);
        return Err(Refusal::Manifest(format!("it says {a}, the descriptor says {b}")));
    }
    let json: serde_json::Value =
        serde_json::from_str(json).map_err(|error| Refusal::Manifest(error.to_string()))?;
    if let Some(odd) = find_odd(&json) {
        return Err(Refusal::Manifest(format!("it has a control character in {odd:?}")));
    }
    let mut names: Vec<_> = manifest.components.iter().map(|it| ("component", &it.name)).collect();
    names.extend(manifest.tasks.iter().map(|task| ("task", &task.name)));
    names.extend(manifest.task_kinds.iter().map(|kind| ("task kind", &kind.name)));
    if let Some((what, name)) = names.iter().find(|(_, name)| !is_name(name)) {
        return Err(Refusal::Manifest(format!("a {what} is named {name:?}")));
    }
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Refusal::Manifest(format!("two {}s are named {}", pair[0].0, pair[0].1))),
        None => Ok(manifest),
    }
}

#[cfg(test)]
mod tests;
