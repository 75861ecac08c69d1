//! What a file has come through on its way to being loaded.

use std::{fs::File, path::PathBuf};

use hotbay_plugin_api::Manifest;

use crate::{
    Descriptor, Refusal, Trust, TrustedBy,
    access::Folder,
    elf::read_descriptor_of,
    staging::{Staged, Staging},
    trust::{Examiner, Signature, Verdict},
};

/// A file that may be looked at further: what it is, whose it is and what it says of
/// itself were checked, and none of its code has run.
#[derive(Debug)]
pub struct Checked {
    /// The file.
    pub path: PathBuf,
    /// What stands in its ELF section.
    pub descriptor: Descriptor,
    /// Who vouches for it.
    pub trusted_by: TrustedBy,
    /// Why it would be refused if trust were enforced, where the trust mode is to warn.
    pub doubt: Option<Refusal>,
    pub(super) staged: Staged,
}

impl Checked {
    /// The SHA-256 of the bytes, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.staged.hash
    }
}

/// A library that stood every test short of being loaded here.
#[derive(Debug)]
pub struct Inspected {
    /// The file.
    pub path: PathBuf,
    /// What stands in its ELF section.
    pub descriptor: Descriptor,
    /// What it says about itself.
    pub manifest: Manifest,
    /// Who vouches for it.
    pub trusted_by: TrustedBy,
    /// Why it would be refused if trust were enforced, where the trust mode is to warn.
    pub doubt: Option<Refusal>,
    pub(super) staged: Staged,
}

impl Inspected {
    /// The SHA-256 of the bytes, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.staged.hash
    }
}

/// Everything about a file that can be told without running it.
pub(super) fn look(
    path: PathBuf,
    trust: &Trust,
    staging: &Staging,
    number: u64,
    cap: u64,
) -> Result<Checked, Refusal> {
    let name = path.file_name().ok_or(Refusal::NotAFile("a folder"))?;
    let folder = Folder::of(&path)?;
    let file = folder.open(name, cap)?;
    let signature = Signature::beside(&folder, name)?;
    let mut examiner = Examiner::new(signature.as_ref(), &trust.keys)?;
    let staged = staging.copy(file, number, |piece| examiner.update(piece))?;
    let Verdict { trusted_by, doubt } = trust.judge(name, &staged.hash, examiner.finish()?)?;
    let copy = File::open(&staged.path).map_err(|_| Refusal::Changed)?;
    let descriptor = read_descriptor_of(copy)?;
    Ok(Checked { path, descriptor, trusted_by, doubt, staged })
}
