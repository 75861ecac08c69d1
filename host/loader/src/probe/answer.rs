//! The answer of a child, and what it means for the library.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, sync::Once};

use hotbay_plugin_api::Manifest;
use serde::{Deserialize, Serialize};

use super::{
    ProbeError,
    process_group::{describe, is_of_fault},
};
use crate::{Descriptor, Refusal, RefusalCode, UniqueKept, manifest};

/// What the child writes to its standard output, between two copies of the nonce.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// The program serves the probe. This answers a handshake.
    Ready { api_version: u32 },
    /// The library can be loaded.
    Good { manifest: String, unconfined: Option<String>, unique_kept: Option<UniqueKept> },
    /// The library, or the child itself, failed.
    Refused { code: RefusalCode, text: String },
}

/// What a probe found out about a library that may be loaded.
#[derive(Debug)]
pub(crate) struct Probed {
    pub(crate) manifest: Manifest,
    /// Why the library needs its unique symbols.
    pub(crate) unique_kept: Option<UniqueKept>,
}

/// Decides from the output and the exit status of a child whether the library may be loaded.
pub(super) fn judge(
    output: &[u8],
    status: ExitStatus,
    nonce: &str,
    descriptor: &Descriptor,
) -> Result<Probed, Refusal> {
    if !output.starts_with(nonce.as_bytes()) {
        let how = format!("the probe ended before it loaded anything: {}", describe(status));
        return Err(Refusal::NoProbe(ProbeError::Child(how)));
    }
    let Some((answer, end)) = parse(output, nonce) else {
        return Err(ended(status, ""));
    };
    if end == End::Missing || !status.success() {
        return Err(ended(status, ", when it was unloaded"));
    }
    Err(match answer {
        Answer::Good { manifest, unconfined, unique_kept } => {
            if let Some(reason) = unconfined {
                static SAID: Once = Once::new();
                // It is the same for each library.
                SAID.call_once(|| {
                    tracing::warn!(reason, "the probe is less confined here than it should be")
                });
            }
            let manifest = manifest::parse(&manifest, descriptor)?;
            return Ok(Probed { manifest, unique_kept });
        }
        Answer::Refused { code: RefusalCode::Linking, text } => Refusal::Linking(text),
        Answer::Refused { code: RefusalCode::Layout, text } => Refusal::Layout(text),
        Answer::Refused { code: RefusalCode::Manifest, text } => Refusal::Manifest(text),
        Answer::Refused { code: RefusalCode::Meddling, text } => Refusal::Meddling(text),
        Answer::Refused { text, .. } => Refusal::NoProbe(ProbeError::Child(text)),
        Answer::Ready { .. } => {
            Refusal::NoProbe(ProbeError::Child("it answered another question".to_owned()))
        }
    })
}

/// Returns the refusal for a child that ended, after it had begun to load the library, without having
/// said that all is well.
fn ended(status: ExitStatus, when: &str) -> Refusal {
    let how = format!("{}{when}", describe(status));
    match status.signal() {
        Some(signal) if !is_of_fault(signal) => Refusal::ProbeKilled(how),
        Some(_) | None => Refusal::ProbeCrashed(how),
    }
}

/// Whether the output of a child ends with the nonce, which is the last thing that a child
/// writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Reached,
    Missing,
}

/// Parses the output of a child. Returns `None` if it does not begin with the nonce and an
/// answer.
pub(super) fn parse(output: &[u8], nonce: &str) -> Option<(Answer, End)> {
    let answer = output.strip_prefix(nonce.as_bytes())?;
    let (answer, end) = match answer.strip_suffix(nonce.as_bytes()) {
        Some(answer) => (answer, End::Reached),
        None => (answer, End::Missing),
    };
    Some((serde_json::from_slice(answer).ok()?, end))
}
