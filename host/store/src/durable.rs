//! The one writer of durable files.
//!
//! A file that is replaced has its old content or its new content, also after a power failure, and
//! never a part of either. A line that is appended is on the disk when the function returns; a
//! process that is killed meanwhile can leave an incomplete line, which the next line does not join.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::Serialize;

/// Creates a folder and its missing parents, readable by this user only. An existing folder is
/// left unchanged.
///
/// # Errors
/// If the folder cannot be created.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Replaces the content of a file. A concurrent reader sees the old content or the new content,
/// and the new content is on the disk when this function returns.
///
/// An existing file keeps its mode; a new one gets `mode`.
///
/// # Errors
/// If the folder of the file does not exist or cannot be written. The file is unchanged then.
pub fn replace(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mode = fs::metadata(path).map_or(mode, |it| it.permissions().mode() & 0o7777);
    let mut new = tempfile::Builder::new().prefix(&format!(".{name}.")).tempfile_in(&folder)?;
    new.write_all(content)?;
    new.as_file().set_permissions(Permissions::from_mode(mode))?;
    new.as_file().sync_all()?;
    new.persist(path)?;
    // Only this makes the new directory entry as durable as the content.
    File::open(folder)?.sync_all()
}

/// Replaces the content of a file by a value as indented JSON. A new file is readable by this
/// user only.
///
/// # Errors
/// If the value cannot be written as JSON, or if [`replace`] fails.
pub fn replace_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut content = serde_json::to_vec_pretty(value)?;
    content.push(b'\n');
    replace(path, 0o600, &content)
}

/// Appends one line to a file. The line is on the disk when this function returns, which can take
/// as long as a slow disk takes. A new file is readable by this user only.
///
/// A file of more than `max_bytes` bytes is first renamed to its name with the suffix `.old`.
///
/// # Errors
/// If the file cannot be written.
pub fn append_line(path: &Path, line: &[u8], max_bytes: u64) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|file| file.len() > max_bytes) {
        let mut old = path.as_os_str().to_owned();
        old.push(".old");
        fs::rename(path, old)?;
    }
    let mut options = OpenOptions::new();
    let mut file = options.append(true).read(true).create(true).mode(0o600).open(path)?;
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
    file.write_all(&whole)?;
    file.sync_data()?;
    if length == 0 {
        // The file is new, and without its directory entry the line would be lost.
        File::open(folder_of(path))?.sync_all()?;
    }
    Ok(())
}

/// Renames a damaged file from `NAME.json` to `NAME.damaged.json`, so that it can be examined, and
/// returns the new path.
///
/// # Errors
/// If the file cannot be renamed.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = path.with_extension("damaged.json");
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Returns the folder that contains a file: the working folder for a name without a folder.
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_lines_is_readable_by_its_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        append_line(&path, b"one", 3).unwrap();
        assert_eq!(mode(&path), 0o600);
        // The file that begins after the full one was renamed.
        append_line(&path, b"two", 3).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"two\n");
        assert_eq!(fs::read(folder.path().join("lines.old")).unwrap(), b"one\n");
        // The user may have let others read it.
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        append_line(&path, b"three", 9).unwrap();
        assert_eq!(mode(&path), 0o640);
        assert_eq!(fs::read(&path).unwrap(), b"two\nthree\n");
    }
}
