//! A child process that loads a library first: a damaged one kills its loader.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use hotbay_plugin_api::Manifest;
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::{Descriptor, Refusal, elf::entry_symbol, library::Library};

/// The first argument that makes a program a probe; the library's path follows.
///
/// The `hotbay` binary answers to it. Another program that embeds the host does
/// so by calling [`serve`] first thing in `main`, or names a `hotbay` binary in
/// its [`LoaderConfig`](super::LoaderConfig).
pub const PROBE_ARGUMENT: &str = "__probe";

/// What a probe says is bounded: a manifest of a megabyte is a mistake.
const MOST_OUTPUT: u64 = 1 << 20;

/// The answer's mark in the child's output, which a library may write to as well.
const MARK: &str = "\u{1}hotbay-probe ";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Manifest(String),
    Refused { code: String, text: String },
}

/// Makes this process a probe if its arguments say so; otherwise does nothing.
///
/// As a probe, it loads the library that the second argument names, writes its
/// manifest to standard output and ends the process.
pub fn serve() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != PROBE_ARGUMENT) {
        return;
    }
    let Some(path) = arguments.next().map(PathBuf::from) else { return };
    let answer = match look(&path) {
        Ok(manifest) => Answer::Manifest(manifest),
        Err(refusal) => {
            let text = refusal.detail().map_or_else(|| refusal.to_string(), str::to_owned);
            Answer::Refused { code: refusal.code().to_owned(), text }
        }
    };
    let answer = serde_json::to_string(&answer).unwrap_or_default();
    // A parent that no longer listens has its reasons; there is nobody else to tell.
    drop(writeln!(std::io::stdout(), "\n{MARK}{answer}"));
    std::process::exit(0);
}

fn look(path: &Path) -> Result<String, Refusal> {
    let bytes = std::fs::read(path).map_err(Refusal::Unreadable)?;
    let descriptor = super::read_descriptor(&bytes)?;
    let (library, module) = Library::open(path, &entry_symbol(&descriptor))?;
    let manifest = module.manifest()().into_string();
    library.keep();
    Ok(manifest)
}

/// How to probe.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    pub(super) program: PathBuf,
    pub(super) limit: Duration,
}

impl Probe {
    /// Has a child load the staged library, and gives the manifest that it brings.
    pub(super) async fn run(&self, staged: &Path, of: &Descriptor) -> Result<Manifest, Refusal> {
        let mut child = Command::new(&self.program)
            .arg(PROBE_ARGUMENT)
            .arg(staged)
            .env_clear()
            .envs(std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Refusal::NoProbe(format!("{}: {error}", self.program.display())))?;
        let stdout = child.stdout.take();
        let mut child = Reaped(child);
        let read = tokio::task::spawn_blocking(move || {
            let mut output = Vec::new();
            if let Some(stdout) = stdout {
                stdout.take(MOST_OUTPUT).read_to_end(&mut output)?;
            }
            Ok::<_, std::io::Error>(output)
        });
        let talk = async {
            let output = read.await.map_err(std::io::Error::other)??;
            loop {
                // Its output ended, so its end is near; nothing tells when without a signal.
                if let Some(status) = child.0.try_wait()? {
                    return Ok::<_, std::io::Error>((output, status));
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        let (output, status) = match timeout(self.limit, talk).await {
            Ok(Ok(said)) => said,
            Ok(Err(error)) => return Err(Refusal::NoProbe(error.to_string())),
            Err(_) => return Err(Refusal::ProbeTimeout { limit: self.limit }),
        };
        let answer = parse(&output).ok_or_else(|| Refusal::ProbeCrashed(describe(status)))?;
        match answer {
            Answer::Manifest(json) => check(&json, of),
            Answer::Refused { code, text } => Err(match code.as_str() {
                "linking" => Refusal::Linking(text),
                "layout" => Refusal::Layout(text),
                "manifest" => Refusal::Manifest(text),
                _ => Refusal::NoProbe(text),
            }),
        }
    }
}

/// A child that is gone, and waited for, when this is dropped.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn parse(output: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(output);
    let answer = text.lines().rev().find_map(|line| line.strip_prefix(MARK))?;
    serde_json::from_str(answer).ok()
}

/// Reads a manifest and holds it against the descriptor.
pub(super) fn check(json: &str, descriptor: &Descriptor) -> Result<Manifest, Refusal> {
    if json.is_empty() {
        return Err(Refusal::Manifest("it panicked while it was made".to_owned()));
    }
    let manifest: Manifest =
        serde_json::from_str(json).map_err(|error| Refusal::Manifest(error.to_string()))?;
    if manifest.name != descriptor.name {
        let (a, b) = (&manifest.name, &descriptor.name);
        return Err(Refusal::Manifest(format!("it says {a}, the descriptor says {b}")));
    }
    let mut names: Vec<_> = manifest.components.iter().map(|it| ("component", &it.name)).collect();
    names.extend(manifest.tasks.iter().map(|task| ("task", &task.name)));
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Refusal::Manifest(format!("two {}s are named {}", pair[0].0, pair[0].1))),
        None => Ok(manifest),
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(libc::SIGSEGV) => "SIGSEGV, an invalid memory access".to_owned(),
        Some(libc::SIGBUS) => "SIGBUS, as a file that was cut short gives".to_owned(),
        Some(libc::SIGABRT) => "SIGABRT, it aborted".to_owned(),
        Some(libc::SIGILL) => "SIGILL, an invalid instruction".to_owned(),
        Some(signal) => format!("signal {signal}"),
        None => format!("it ended with {status} and without an answer"),
    }
}
