//! A private copy of a library under a name that was never used before.
//!
//! `dlopen` of a path, a hard link or a re-used inode that it knows returns the
//! library that it has, and overwriting a mapped file kills the process. So what
//! is loaded is always a copy, and its name says hash and generation.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{LoadError, Refusal};

/// The folder for copies, removed with all it holds when dropped.
#[derive(Debug)]
pub(super) struct Staging {
    folder: TempDir,
}

/// One copy. The file goes when this is dropped.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) path: PathBuf,
    /// SHA-256 of the content, in hexadecimal.
    pub(super) hash: String,
    pub(super) bytes: Vec<u8>,
}

impl Staging {
    pub(super) fn new(parent: Option<&Path>) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("hotbay-").permissions(fs::Permissions::from_mode(0o700));
        let folder = match parent {
            Some(parent) => builder.tempdir_in(parent)?,
            None => builder.tempdir()?,
        };
        Ok(Self { folder })
    }

    /// Copies a file here and hashes what it copies: those bytes, no others, are loaded.
    pub(super) fn copy(&self, from: &Path, number: u64, cap: u64) -> Result<Staged, LoadError> {
        let bytes = read(from, cap).map_err(|refusal| refusal.of(from))?;
        let hash = format!("{:x}", Sha256::digest(&bytes));
        let path = self.folder.path().join(format!("{}-{number}.so", &hash[..16]));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o500)
            .open(&path)
            .and_then(|mut file| file.write_all(&bytes));
        match written {
            Ok(()) => Ok(Staged { path, hash, bytes }),
            Err(error) => {
                Err(Refusal::Host(format!("no copy in {}: {error}", self.folder.path().display()))
                    .of(from))
            }
        }
    }
}

impl Staged {
    /// Lets go of the content, which the file holds.
    pub(super) fn without_bytes(mut self) -> Self {
        self.bytes = Vec::new();
        self
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a staged copy stays");
        }
    }
}

fn read(path: &Path, cap: u64) -> Result<Vec<u8>, Refusal> {
    // Without `O_NONBLOCK`, opening a pipe that nobody writes would wait for ever.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file: File = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => Refusal::Link,
        Some(libc::ENOENT) => Refusal::Missing,
        Some(libc::ENXIO) => Refusal::NotAFile,
        _ => Refusal::Unreadable(error),
    })?;
    let metadata = file.metadata().map_err(Refusal::Unreadable)?;
    if !metadata.is_file() {
        return Err(Refusal::NotAFile);
    }
    if metadata.len() > cap {
        return Err(Refusal::TooLarge { size: metadata.len(), cap });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // The file may grow while it is read: the cap holds for what is read.
    file.take(cap + 1).read_to_end(&mut bytes).map_err(Refusal::Unreadable)?;
    let size = bytes.len() as u64;
    if size > cap {
        return Err(Refusal::TooLarge { size, cap });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_has_the_hash_of_its_bytes_and_goes_when_it_is_dropped() {
        let staging = Staging::new(None).unwrap();
        let source = staging.folder.path().join("source");
        fs::write(&source, b"abc").unwrap();
        let staged = staging.copy(&source, 7, 10).unwrap();
        // The SHA-256 of "abc", from FIPS 180-2, appendix B.1.
        assert!(staged.hash.starts_with("ba7816bf8f01cfea414140de5dae2223"));
        let path = staged.path.clone();
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        drop(staged);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_not_a_plain_file_is_refused_with_its_reason() {
        let staging = Staging::new(None).unwrap();
        let at = |name: &str| staging.folder.path().join(name);
        fs::write(at("large"), [0; 11]).unwrap();
        fs::create_dir(at("folder")).unwrap();
        std::os::unix::fs::symlink(at("large"), at("link")).unwrap();
        for (name, code) in [
            ("large", "too-large"),
            ("folder", "not-a-file"),
            ("link", "link"),
            ("nothing", "missing"),
        ] {
            assert_eq!(staging.copy(&at(name), 1, 10).unwrap_err().refusal.code(), code, "{name}");
        }
        let device = staging.copy(Path::new("/dev/zero"), 1, 10).unwrap_err();
        assert_eq!(device.refusal.code(), "not-a-file");
    }
}
