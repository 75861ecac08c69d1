//! A private copy of a library under a name that was never used before.
//!
//! `dlopen` of a path, a hard link or a re-used inode that it knows returns the
//! library that it has, and overwriting a mapped file kills the process. So what
//! is loaded is always a copy, and its name says hash and generation.

mod home;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    Refusal,
    access::{self, Source},
};
use home::Home;

/// Where the copies are.
#[derive(Debug)]
pub(crate) struct Staging {
    home: Home,
}

/// One copy. The file goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) path: PathBuf,
    /// SHA-256 of the content, in hexadecimal.
    pub(crate) hash: String,
    size: u64,
}

impl Staging {
    /// In a folder of its own in `parent`, by default the system's for temporary files.
    pub(crate) fn new(parent: Option<&Path>) -> io::Result<Self> {
        let home = match parent {
            Some(parent) => Home::new(parent)?,
            None => Home::new(&std::env::temp_dir())?,
        };
        Ok(Self { home })
    }

    /// Copies a file here and hashes what it copies: those bytes, no others, are loaded.
    /// `also` gets them as well, piece by piece.
    pub(crate) fn copy(
        &self,
        mut from: Source,
        number: u64,
        mut also: impl FnMut(&[u8]),
    ) -> Result<Staged, Refusal> {
        let path = self.home.path().join(format!("{number}.so"));
        let failed = |error: io::Error| Refusal::Host(format!("{}: {error}", path.display()));
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o500).open(&path).map_err(failed)?;
        // Made before anything can fail, so that half a copy goes as well.
        let mut staged = Staged { path: path.clone(), hash: String::new(), size: 0 };
        staged.hash = hash(&mut from, |piece| {
            staged.size += piece.len() as u64;
            also(piece);
            file.write_all(piece).map_err(failed)
        })?;
        let named = self.home.path().join(format!("{}-{number}.so", &staged.hash[..16]));
        fs::rename(&path, &named).map_err(failed)?;
        staged.path = named;
        Ok(staged)
    }
}

impl Staged {
    /// Refuses a copy that is not what was checked any more. The probe ran code of it as
    /// this very user, who may write here.
    pub(crate) fn verify(&self) -> Result<(), Refusal> {
        let mut found = access::open(&self.path, self.size).map_err(|_| Refusal::Changed)?;
        match hash(&mut found, |_| Ok(())) {
            Ok(hash) if hash == self.hash => Ok(()),
            _ => Err(Refusal::Changed),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a staged copy stays");
        }
    }
}

/// The SHA-256 of a file in hexadecimal; `also` gets its bytes piece by piece, so that
/// a large one takes no more memory than a small one.
fn hash(
    file: &mut Source,
    mut also: impl FnMut(&[u8]) -> Result<(), Refusal>,
) -> Result<String, Refusal> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let piece = file.next(&mut buffer)?;
        if piece.is_empty() {
            return Ok(format!("{:x}", hash.finalize()));
        }
        hash.update(piece);
        also(piece)?;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn staged() -> (Staging, Staged) {
        let staging = Staging::new(None).unwrap();
        let source = staging.home.path().join("source");
        fs::write(&source, b"abc").unwrap();
        let staged = staging.copy(access::open(&source, 10).unwrap(), 7, |_| {}).unwrap();
        (staging, staged)
    }

    #[test]
    fn the_copy_has_the_hash_of_its_bytes_and_goes_when_it_is_dropped() {
        let (_staging, staged) = staged();
        // The SHA-256 of "abc", from FIPS 180-2, appendix B.1.
        assert!(staged.hash.starts_with("ba7816bf8f01cfea414140de5dae2223"));
        let path = staged.path.clone();
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        drop(staged);
        assert!(!path.exists());
    }

    #[test]
    fn a_copy_that_was_written_to_or_exchanged_is_refused() {
        let (staging, staged) = staged();
        assert!(staged.verify().is_ok());
        fs::set_permissions(&staged.path, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&staged.path, b"abd").unwrap();
        assert_eq!(staged.verify().unwrap_err().code(), "changed");
        let other = staging.home.path().join("other");
        fs::write(&other, b"abc").unwrap();
        fs::remove_file(&staged.path).unwrap();
        std::os::unix::fs::symlink(other, &staged.path).unwrap();
        assert_eq!(staged.verify().unwrap_err().code(), "changed");
    }
}
