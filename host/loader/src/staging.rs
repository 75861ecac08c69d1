//! Private copies of libraries, each under a name that was never used before.
//!
//! `dlopen` returns the library that is loaded already if it knows the path, a hard link or a
//! reused inode, and overwriting a mapped file kills the process. So the host always loads a
//! copy, whose name consists of its hash and a number.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use hotbay_access::CheckedFile;
use sha2::{Digest, Sha256};

use crate::{Refusal, staging_folder::StagingFolder};

/// The private copies of one host.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: StagingFolder,
}

/// One private copy. Dropping the value removes the file.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) path: PathBuf,
    /// The SHA-256 of the content, in hexadecimal.
    pub(crate) hash: String,
    size: u64,
}

impl Staging {
    /// Creates a folder for copies in `parent`, or in the system's temporary folder.
    pub(crate) fn new(parent: Option<&Path>) -> io::Result<Self> {
        let folder = match parent {
            Some(parent) => StagingFolder::new(parent)?,
            None => StagingFolder::new(&std::env::temp_dir())?,
        };
        Ok(Self { folder })
    }

    /// Copies a file and hashes the copied bytes, so that the hash is that of the bytes that are
    /// loaded. Each piece of the file is given to `inspect` as well.
    pub(crate) fn copy(
        &self,
        mut from: CheckedFile,
        number: u64,
        mut inspect: impl FnMut(&[u8]),
    ) -> Result<Staged, Refusal> {
        let path = self.folder.path().join(format!("{number}.so"));
        let failed =
            |source| Refusal::Host { operation: format!("writing {}", path.display()), source };
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o500).open(&path).map_err(failed)?;
        // Created before anything can fail, so that an incomplete copy is removed as well.
        let mut staged = Staged { path: path.clone(), hash: String::new(), size: 0 };
        staged.hash = hash(&mut from, |piece| {
            staged.size += piece.len() as u64;
            inspect(piece);
            file.write_all(piece).map_err(failed)
        })?;
        let named = self.folder.path().join(format!("{}-{number}.so", &staged.hash[..16]));
        fs::rename(&path, &named).map_err(failed)?;
        staged.path = named;
        Ok(staged)
    }
}

impl Staged {
    /// Refuses a copy whose content has changed. The probe ran code of the library as this user,
    /// who can write to the copy.
    pub(crate) fn verify(&self) -> Result<(), Refusal> {
        let mut found = hotbay_access::open(&self.path, self.size).map_err(|_| Refusal::Changed)?;
        match hash(&mut found, |_| Ok(())) {
            Ok(hash) if hash == self.hash => Ok(()),
            _ => Err(Refusal::Changed),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a private copy can't be removed");
        }
    }
}

/// Returns the SHA-256 of a file, in hexadecimal. The file is read and given to `consume` in
/// pieces, so that a large file takes no more memory than a small one.
fn hash(
    file: &mut CheckedFile,
    mut consume: impl FnMut(&[u8]) -> Result<(), Refusal>,
) -> Result<String, Refusal> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let piece = file.next(&mut buffer)?;
        if piece.is_empty() {
            return Ok(format!("{:x}", hash.finalize()));
        }
        hash.update(piece);
        consume(piece)?;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn staged() -> (Staging, Staged) {
        let staging = Staging::new(None).unwrap();
        let source = staging.folder.path().join("source");
        fs::write(&source, b"abc").unwrap();
        let staged = staging.copy(hotbay_access::open(&source, 10).unwrap(), 7, |_| {}).unwrap();
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
        assert_eq!(staged.verify().unwrap_err().code().as_str(), "changed");
        let other = staging.folder.path().join("other");
        fs::write(&other, b"abc").unwrap();
        fs::remove_file(&staged.path).unwrap();
        std::os::unix::fs::symlink(other, &staged.path).unwrap();
        assert_eq!(staged.verify().unwrap_err().code().as_str(), "changed");
    }
}
