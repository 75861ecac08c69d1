//! The results of the steps of a load.

use std::{fs::File, io, path::PathBuf};

use hotbay_access::{AccessError, CheckedFolder, Lack};
use hotbay_config::TrustMode;
use hotbay_plugin_api::Manifest;

use crate::{
    Descriptor, Refusal, Trust, TrustedBy, companions,
    elf::{Found, Patch, UniqueKept, Unloading, read_descriptor, read_unloading},
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
    /// What the file says about unloading it.
    pub unloading: Unloading,
    pub(super) staged: Staged,
    /// The patches of the copy that changed the binding of its unique symbols.
    unique: Vec<Patch>,
}

impl Checked {
    /// Gives the unique symbols in the copy their binding back.
    pub(super) fn keep_unique(&mut self, why: UniqueKept) -> Result<(), Refusal> {
        let patches: Vec<_> = self.unique.drain(..).map(Patch::reversed).collect();
        self.staged.patch(&patches)?;
        self.unloading.unique_kept = Some(why);
        Ok(())
    }

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
    /// What the file says about unloading it.
    pub unloading: Unloading,
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
    let mut staged = staging.copy(file, number, |piece| verifier.update(piece))?;
    let Verdict { trusted_by, doubt } = trust.judge(name, &staged.hash, verifier.finish()?)?;
    if trust.mode == TrustMode::Enforce {
        companions::check(&staged.path)?;
    }
    let copy = File::open(&staged.path).map_err(|error| match Lack::of(&error) {
        Some(lack) => Refusal::host("reading its copy", io::Error::other(lack)),
        None => Refusal::Changed,
    })?;
    let descriptor = read_descriptor(copy)?;
    let copy = File::open(&staged.path).map_err(|_| Refusal::Changed)?;
    let Found { unloading, flag, unique } = read_unloading(copy);
    staged.patch(&[flag, unique.clone()].concat())?;
    Ok(Checked { path, descriptor, trusted_by, doubt, unloading, staged, unique })
}
