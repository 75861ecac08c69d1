//! The one writer of durable files.
//!
//! A file that is replaced has its old content or its new content, also after a power failure, and
//! never a part of either. A line that is appended is on the disk when the function returns; a
//! process that is killed meanwhile can leave an incomplete line, which the next line does not join.
//!
//! All files are written through the descriptor of a folder that was checked, and links are not
//! followed, so nobody can make a host write elsewhere.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{FileExt, PermissionsExt},
    sync::atomic::{AtomicU32, Ordering},
};

use hotbay_access::{AccessError, CheckedFile, CheckedFolder};
use rustix::fs::{AtFlags, FileType, statat};
use serde::{Serialize, de::DeserializeOwned};

/// Replaces the content of a file. A concurrent reader sees the old content or the new content,
/// and the new content is on the disk when this function returns.
///
/// An existing file keeps its mode; a new one gets `mode`.
///
/// # Errors
/// If the folder cannot be written. The file is unchanged then.
pub fn replace(folder: &CheckedFolder, name: &OsStr, mode: u32, content: &[u8]) -> io::Result<()> {
    let mode = mode_of(folder, name).unwrap_or(mode);
    let (new, file) = create_beside(folder, name)?;
    let written = write_whole(file, mode, content).and_then(|()| folder.rename(&new, name));
    if let Err(error) = written {
        // What matters is why the file could not be written.
        drop(folder.remove(&new));
        return Err(error);
    }
    // Only this makes the new directory entry as durable as the content.
    folder.file()?.sync_all()
}

fn write_whole(mut file: File, mode: u32, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Creates a file beside another one, under a name that is not taken. It is to be renamed to the
/// other one when it is complete.
pub(crate) fn create_beside(folder: &CheckedFolder, name: &OsStr) -> io::Result<(OsString, File)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let mut new = OsString::from(".");
        new.push(name);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        new.push(format!(".{}-{number}", std::process::id()));
        match folder.create(&new) {
            // A process of the same number was killed here.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return Ok((new, created?)),
        }
    }
}

/// Returns the mode of a file that exists.
fn mode_of(folder: &CheckedFolder, name: &OsStr) -> Option<u32> {
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    is_file.then_some(stat.st_mode & 0o7777)
}

/// Replaces the content of a file by a value as indented JSON. A new file is readable by this
/// user only.
///
/// # Errors
/// If the value cannot be written as JSON, or if [`replace`] fails.
pub fn replace_json(folder: &CheckedFolder, name: &str, value: &impl Serialize) -> io::Result<()> {
    let mut content = serde_json::to_vec_pretty(value)?;
    content.push(b'\n');
    replace(folder, name.as_ref(), 0o600, &content)
}

/// Why the content of a file does not count.
#[derive(Debug, thiserror::Error)]
pub enum Unbelievable {
    /// The file is damaged.
    #[error("it is damaged ({0})")]
    Damaged(#[source] serde_json::Error),
    /// The file is no file of this host: another user can have written it, or it is a link.
    #[error("it {0}")]
    Unsafe(#[source] AccessError),
}

/// Reads a value from a file with JSON of at most `max_bytes` bytes. A file that does not exist
/// gives the default value.
///
/// # Errors
/// The outer error is that of the operating system. The inner one says why the content does not
/// count.
pub fn read_json<T: DeserializeOwned + Default>(
    folder: &CheckedFolder,
    name: &str,
    max_bytes: u64,
) -> io::Result<Result<T, Unbelievable>> {
    match folder.open(name.as_ref(), max_bytes).and_then(CheckedFile::read_to_end) {
        Ok(text) => Ok(serde_json::from_slice(&text).map_err(Unbelievable::Damaged)),
        Err(AccessError::Missing) => Ok(Ok(T::default())),
        Err(refusal) if refusal.is_by_check() => Ok(Err(Unbelievable::Unsafe(refusal))),
        Err(error) => Err(error.into()),
    }
}

/// Appends one line to a file. The line is on the disk when this function returns, which can take
/// as long as a slow disk takes. A new file is readable by this user only.
///
/// A file of more than `max_bytes` bytes is first renamed to its name with the suffix `.old`.
///
/// # Errors
/// If the file cannot be written, or is not safe to be written.
pub fn append_line(
    folder: &CheckedFolder,
    name: &str,
    line: &[u8],
    max_bytes: u64,
) -> io::Result<()> {
    let mut file = folder.open_to_write(name.as_ref())?;
    if file.metadata()?.len() > max_bytes {
        folder.rename(name.as_ref(), format!("{name}.old").as_ref())?;
        file = folder.open_to_write(name.as_ref())?;
    }
    let mut whole = Vec::with_capacity(line.len() + 2);
    // A host that was killed may have left an incomplete line. The new line must not join it.
    let length = file.metadata()?.len();
    if length > 0 {
        let mut last = [0];
        file.read_exact_at(&mut last, length - 1)?;
        if last != *b"\n" {
            whole.push(b'\n');
        }
    }
    whole.extend_from_slice(line);
    whole.push(b'\n');
    file.write_all_at(&whole, length)?;
    file.sync_data()?;
    if length == 0 {
        // The file is new, and without its directory entry the line would be lost.
        folder.file()?.sync_all()?;
    }
    Ok(())
}

/// Renames a file whose content does not count from `NAME.json` to `NAME.damaged.json`, so that it can be examined, and
/// returns the new name.
///
/// # Errors
/// If the file cannot be renamed.
pub fn set_aside(folder: &CheckedFolder, name: &str) -> io::Result<String> {
    let aside = format!("{}.damaged.json", name.trim_end_matches(".json"));
    folder.rename(name.as_ref(), aside.as_ref())?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt, symlink},
        path::Path,
    };

    use hotbay_access::Missing;

    use super::*;

    fn private(folder: &Path) -> CheckedFolder {
        CheckedFolder::private(folder, Missing::IsAnError).unwrap()
    }

    #[test]
    fn a_file_of_lines_is_readable_by_its_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let append =
            |line, max_bytes| append_line(&private(folder.path()), "lines", line, max_bytes);
        append(b"one", 3).unwrap();
        assert_eq!(mode(&path), 0o600);
        // The file that begins after the full one was renamed.
        append(b"two", 3).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"two\n");
        assert_eq!(fs::read(folder.path().join("lines.old")).unwrap(), b"one\n");
        // The user may have let others read it.
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        append(b"three", 9).unwrap();
        assert_eq!(mode(&path), 0o640);
        assert_eq!(fs::read(&path).unwrap(), b"two\nthree\n");
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.json");
        let replace = |value: u32| replace_json(&private(folder.path()), "list.json", &value);
        let mode = || fs::metadata(&path).unwrap().mode() & 0o777;
        replace(1).unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        replace(2).unwrap();
        assert_eq!((mode(), fs::read_to_string(&path).unwrap().as_str()), (0o644, "2\n"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_replaced_or_refused_and_its_target_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let target = tempfile::NamedTempFile::new().unwrap();
        fs::write(target.path(), "precious\n").unwrap();
        for name in ["lines", "list.json"] {
            symlink(target.path(), folder.path().join(name)).unwrap();
        }
        let error = append_line(&private(folder.path()), "lines", b"one", 99).unwrap_err();
        assert!(error.to_string().contains("is a symbolic link"), "{error}");
        replace_json(&private(folder.path()), "list.json", &1).unwrap();
        assert!(fs::symlink_metadata(folder.path().join("list.json")).unwrap().is_file());
        assert_eq!(fs::read_to_string(target.path()).unwrap(), "precious\n");
    }
}
