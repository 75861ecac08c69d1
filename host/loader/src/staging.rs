//! Private copies of libraries, each under a name that was never used before.
//!
//! `dlopen` returns the library that is loaded already if it knows the path, a hard link or a
//! reused inode, and overwriting a mapped file kills the process. So the host always loads a
//! copy, whose name consists of its hash and a number.
//!
//! A few bytes of a copy may be replaced after it was checked. Its hash stays that of the file.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use hotbay_access::{AccessError, CheckedFile};
use sha2::{Digest, Sha256};

use crate::{Refusal, elf::Patch, staging_folder::StagingFolder};

/// The private copies of one host.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: StagingFolder,
}

/// One private copy. Dropping the value removes the file.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) path: PathBuf,
    /// The SHA-256 of the file that was copied, in hexadecimal.
    pub(crate) hash: String,
    /// The SHA-256 of the copy. It differs from `hash` if the copy was patched.
    content: String,
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
        // Without the name of the copy, so that the same failure has the same text each time.
        let folder = self.folder.path().parent().unwrap_or(self.folder.path());
        let failed = |error| Refusal::host(format!("copying it to {}", folder.display()), error);
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o500).open(&path).map_err(failed)?;
        // Created before anything can fail, so that an incomplete copy is removed as well.
        let (hash_of_file, content) = (String::new(), String::new());
        let mut staged = Staged { path: path.clone(), hash: hash_of_file, content, size: 0 };
        staged.hash = hash(&mut from, |piece| {
            staged.size += piece.len() as u64;
            inspect(piece);
            file.write_all(piece).map_err(failed)
        })?;
        staged.content.clone_from(&staged.hash);
        let named = self.folder.path().join(format!("{}-{number}.so", &staged.hash[..16]));
        fs::rename(&path, &named).map_err(failed)?;
        staged.path = named;
        Ok(staged)
    }
}

impl Staged {
    /// Replaces bytes of the copy.
    ///
    /// The copy is refused if it is not what it was before. What it is afterwards is computed from
    /// what it was, and not read again, so that [`verify`](Self::verify) would see other changes.
    pub(crate) fn patch(&mut self, patches: &[Patch]) -> Result<(), Refusal> {
        if patches.is_empty() {
            return Ok(());
        }
        let (mut patched, mut at) = (Sha256::new(), 0);
        let before = self.hash_again(|piece| {
            let mut piece = piece.to_vec();
            let range = at..at + piece.len() as u64;
            for patch in patches.iter().filter(|patch| range.contains(&patch.offset)) {
                if let Ok(index) = usize::try_from(patch.offset - at) {
                    piece[index] = patch.to;
                }
            }
            patched.update(&piece);
            at = range.end;
            Ok(())
        })?;
        if before != self.content {
            return Err(Refusal::Changed);
        }
        self.content = format!("{:x}", patched.finalize());
        self.write(patches).map_err(|source| Refusal::Host {
            operation: format!("writing {}", self.path.display()),
            source,
        })
    }

    fn write(&self, patches: &[Patch]) -> io::Result<()> {
        fs::set_permissions(&self.path, Permissions::from_mode(0o700))?;
        let file = OpenOptions::new().write(true).open(&self.path)?;
        for Patch { offset, to, .. } in patches {
            file.write_all_at(&[*to], *offset)?;
        }
        file.set_permissions(Permissions::from_mode(0o500))
    }

    /// Refuses a copy whose content has changed. The probe ran code of the library as this user,
    /// who can write to the copy.
    pub(crate) fn verify(&self) -> Result<(), Refusal> {
        let is_same = self.hash_again(|_| Ok(()))? == self.content;
        is_same.then_some(()).ok_or(Refusal::Changed)
    }

    fn hash_again(
        &self,
        consume: impl FnMut(&[u8]) -> Result<(), Refusal>,
    ) -> Result<String, Refusal> {
        let read = || {
            let mut found = hotbay_access::open(&self.path, self.size)?;
            hash(&mut found, consume)
        };
        read().map_err(|refusal| {
            // A shortage of the host is no change of the copy.
            let Refusal::Access(AccessError::Unreadable(source)) = refusal else {
                return Refusal::Changed;
            };
            Refusal::host("reading its copy", source)
        })
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
        fs::set_permissions(&staged.path, Permissions::from_mode(0o700)).unwrap();
        fs::write(&staged.path, b"abd").unwrap();
        assert_eq!(staged.verify().unwrap_err().code().as_str(), "changed");
        let other = staging.folder.path().join("other");
        fs::write(&other, b"abc").unwrap();
        fs::remove_file(&staged.path).unwrap();
        std::os::unix::fs::symlink(other, &staged.path).unwrap();
        assert_eq!(staged.verify().unwrap_err().code().as_str(), "changed");
    }
    #[test]
    fn a_patched_copy_keeps_the_hash_of_its_file_and_is_checked_against_what_was_patched() {
        let (_staging, mut staged) = staged();
        let hash = staged.hash.clone();
        let patch = Patch { offset: 1, from: b'b', to: b'x' };
        staged.patch(&[patch]).unwrap();
        assert_eq!(fs::read(&staged.path).unwrap(), b"axc");
        assert_eq!(fs::metadata(&staged.path).unwrap().permissions().mode() & 0o777, 0o500);
        assert_eq!(staged.hash, hash);
        staged.verify().unwrap();
        staged.patch(&[patch.reversed()]).unwrap();
        assert_eq!(fs::read(&staged.path).unwrap(), b"abc");
        staged.verify().unwrap();
        fs::set_permissions(&staged.path, Permissions::from_mode(0o700)).unwrap();
        fs::write(&staged.path, b"axc").unwrap();
        assert_eq!(staged.verify().unwrap_err().code().as_str(), "changed");
        assert_eq!(staged.patch(&[patch]).unwrap_err().code().as_str(), "changed");
    }
}
