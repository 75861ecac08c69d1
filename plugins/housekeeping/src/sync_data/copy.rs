//! Copying one file so that it is whole or not there.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, Metadata, Permissions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt},
    },
};

use data_encoding::HEXLOWER;
use hotbay_plugin_api::Context;
use rustix::fs::{Advice, OFlags};
use sha2::{Digest, Sha256};

use crate::folder::{Folder, FolderError};

/// How much of a file is held in memory.
const CHUNK: u64 = 256 << 10;

const PART_START: &str = ".hotbay-";
const PART_END: &str = ".part";

/// Returns the name under which a file is written until it is complete.
///
/// It is a hash, because the name with anything added may be longer than a name can be.
pub(super) fn part_of(name: &OsStr) -> OsString {
    let hash = Sha256::digest(name.as_bytes());
    format!("{PART_START}{}{PART_END}", HEXLOWER.encode(&hash[..16])).into()
}

/// Returns `true` if a file with this name is one that is not complete.
pub(super) fn is_part(name: &OsStr) -> bool {
    let middle =
        name.to_str().and_then(|name| name.strip_prefix(PART_START)?.strip_suffix(PART_END));
    middle.is_some_and(|hash| hash.len() == 32 && HEXLOWER.decode(hash.as_bytes()).is_ok())
}

/// Copies a file with its permissions and the time at which it was modified, and verifies the copy.
///
/// Returns the number of bytes, or `None` if the run was asked to stop.
///
/// # Errors
/// If the file can't be read or the copy can't be written, if the file changes meanwhile, or if
/// what was written is not what was read.
pub(super) fn copy(
    from: &Folder,
    to: &Folder,
    name: &OsStr,
    context: &Context,
) -> Result<Option<u64>, FolderError> {
    let part_name = part_of(name);
    let mut source = from.file(name, OFlags::RDONLY)?;
    let mut part = part_file(to, &part_name)?;
    let mut write = || {
        let before = source.metadata()?;
        let Some(hash) = write_part(&mut source, &mut part, context)? else { return Ok(None) };
        if is_changed(&before, &source.metadata()?) {
            return Err(io::Error::other("the file changed while it was copied"));
        }
        part.set_permissions(Permissions::from_mode(before.permissions().mode() & 0o777))?;
        part.set_modified(before.modified()?)?;
        part.sync_all()?;
        // What is in the cache is let go, so that what is on the disk is verified.
        rustix::fs::fadvise(&part, 0, None, Advice::DontNeed)?;
        let Some(written) = checksum(&mut part, context)? else { return Ok(None) };
        if written != hash {
            return Err(io::Error::other("what was written is not what was read"));
        }
        Ok(Some(before.len()))
    };
    let copied = write().map_err(|error| FolderError::new("copy", from.path_of(name), error))?;
    if copied.is_some() {
        to.rename(&part_name, name)?;
    }
    Ok(copied)
}

/// Returns `true` if a file of both folders has one checksum; also if the run was asked to stop.
///
/// # Errors
/// If one can't be read.
pub(super) fn have_same_content(
    from: &Folder,
    to: &Folder,
    name: &OsStr,
    context: &Context,
) -> Result<bool, FolderError> {
    let of = |folder: &Folder| {
        let mut file = folder.file(name, OFlags::RDONLY)?;
        checksum(&mut file, context)
            .map_err(|error| FolderError::new("read", folder.path_of(name), error))
    };
    Ok(of(from)? == of(to)?)
}

/// Opens the file of an earlier copy that was broken off, or a new one.
fn part_file(to: &Folder, name: &OsStr) -> Result<File, FolderError> {
    let new = || to.file(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL);
    if to.entry(name)?.is_none() {
        return new();
    }
    // Another name of the same file might be anywhere, and what it leads to is none of ours.
    let part = to.file(name, OFlags::RDWR).ok();
    let is_ours = |part: &File| part.metadata().is_ok_and(|metadata| metadata.nlink() == 1);
    match part.filter(is_ours) {
        Some(part) => Ok(part),
        None => to.remove_file(name).and_then(|_| new()),
    }
}

/// Writes what is not in the copy yet, and returns the checksum of the whole. Returns `None` if the
/// run was asked to stop.
///
/// The copy is kept as far as it is equal to the source.
fn write_part(
    source: &mut File,
    part: &mut File,
    context: &Context,
) -> io::Result<Option<[u8; 32]>> {
    let mut hash = Sha256::new();
    let (mut chunk, mut there) = (Vec::new(), Vec::new());
    let (mut done, mut is_equal) = (0, true);
    while next(source, &mut chunk)? {
        if context.is_cancelled() {
            return Ok(None);
        }
        hash.update(&chunk);
        if is_equal {
            is_equal = next(part, &mut there)? && chunk == there;
            if !is_equal {
                part.set_len(done)?;
                part.seek(SeekFrom::Start(done))?;
            }
        }
        if !is_equal {
            part.write_all(&chunk)?;
        }
        done += chunk.len() as u64;
    }
    part.set_len(done)?;
    Ok(Some(hash.finalize().into()))
}

/// Returns the checksum of a whole file, or `None` if the run was asked to stop.
fn checksum(file: &mut File, context: &Context) -> io::Result<Option<[u8; 32]>> {
    let mut hash = Sha256::new();
    let mut chunk = Vec::new();
    file.rewind()?;
    while next(file, &mut chunk)? {
        if context.is_cancelled() {
            return Ok(None);
        }
        hash.update(&chunk);
    }
    Ok(Some(hash.finalize().into()))
}

/// Reads the next chunk, and returns `false` at the end.
fn next(file: &mut File, chunk: &mut Vec<u8>) -> io::Result<bool> {
    chunk.clear();
    Read::take(&mut *file, CHUNK).read_to_end(chunk)?;
    Ok(!chunk.is_empty())
}

fn is_changed(before: &Metadata, after: &Metadata) -> bool {
    let facts = |it: &Metadata| (it.len(), it.mtime(), it.mtime_nsec());
    facts(before) != facts(after)
}
