//! The results of the steps of a load.

use std::{fs::File, path::PathBuf};

use hotbay_access::{AccessError, CheckedFolder};
use hotbay_plugin_api::Manifest;

use crate::{
    Descriptor, Refusal, Trust, TrustedBy,
    elf::read_descriptor,
    staging::{Staged, Staging},
    trust::{Signature, SignatureVerifier, Verdict},
};

/// A file whose type, owner, trust and descriptor were checked. None of its code has run.
#[derive(Debug)]
pub struct Checked {
    /// The file in the plugins folder.
    pub path: PathBuf,
    /// The descriptor in the library's ELF section.
    pub descriptor: Descriptor,
    /// Who vouches for the file.
    pub trusted_by: TrustedBy,
    /// Why the mode `enforce` would refuse the file. Present only if the trust mode is `warn`.
    pub doubt: Option<Refusal>,
    pub(super) staged: Staged,
}

impl Checked {
    /// Returns the SHA-256 of the file, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.staged.hash
    }
}

/// A library that passed every check, the probe included, and is not mapped here yet.
#[derive(Debug)]
pub struct Inspected {
    /// The file in the plugins folder.
    pub path: PathBuf,
    /// The descriptor in the library's ELF section.
    pub descriptor: Descriptor,
    /// The manifest that the library gave in the probe.
    pub manifest: Manifest,
    /// Who vouches for the file.
    pub trusted_by: TrustedBy,
    /// Why the mode `enforce` would refuse the file. Present only if the trust mode is `warn`.
    pub doubt: Option<Refusal>,
    pub(super) staged: Staged,
}

impl Inspected {
    /// Returns the SHA-256 of the file, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.staged.hash
    }
}

/// Does every check that needs no code of the file to run, and copies the file.
pub(super) fn check(
    path: PathBuf,
    trust: &Trust,
    staging: &Staging,
    number: u64,
    cap: u64,
) -> Result<Checked, Refusal> {
    let name = path.file_name().ok_or(AccessError::NotAFile("a folder"))?;
    let folder = CheckedFolder::of(&path)?;
    let file = folder.open(name, cap)?;
    let signature = Signature::beside(&folder, name)?;
    let mut verifier = SignatureVerifier::new(signature.as_ref(), &trust.keys)?;
    let staged = staging.copy(file, number, |piece| verifier.update(piece))?;
    let Verdict { trusted_by, doubt } = trust.judge(name, &staged.hash, verifier.finish()?)?;
    let copy = File::open(&staged.path).map_err(|_| Refusal::Changed)?;
    let descriptor = read_descriptor(copy)?;
    Ok(Checked { path, descriptor, trusted_by, doubt, staged })
}
