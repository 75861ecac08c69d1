//! Files that tasks write for others to read.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use hotbay_plugin_api::SchedulerError;
use rustix::fs::OFlags;

/// How much of a file of statistics is read.
const MAX_BYTES: u64 = 64 << 20;

/// Writes a file in one step: whoever opens it finds the old content or the new one, never a part.
///
/// What is there already is only replaced if `is_ours` says that its content was written by the
/// same task before, so that a wrong setting costs nobody a file.
///
/// # Errors
/// If it can't be written, or if another file has its name.
pub(crate) fn replace(
    path: &Path,
    content: &[u8],
    is_ours: impl FnOnce(&[u8]) -> bool,
) -> Result<(), SchedulerError> {
    let failed = |reason: &dyn std::fmt::Display| {
        SchedulerError::TaskExecution(format!("cannot write {}: {reason}", path.display()))
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&error)),
        Ok(metadata) => {
            let there = if metadata.is_file() { read(path)? } else { Vec::new() };
            if !metadata.is_file() || !is_ours(&there) {
                return Err(failed(
                    &"what is there was not written by this task, and is not overwritten; name \
                      another file, or remove it",
                ));
            }
        }
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(".".as_ref());
    let write = || {
        // As for any new file, the umask decides who may read it.
        let permissions = Permissions::from_mode(0o666);
        let mut file = tempfile::Builder::new()
            .prefix(".hotbay-")
            .permissions(permissions)
            .tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| failed(&error))
}

/// Reads a whole file.
///
/// # Errors
/// If it can't be read, is no regular file, or is larger than 64 MiB.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, SchedulerError> {
    let failed = |reason: &dyn std::fmt::Display| {
        SchedulerError::TaskExecution(format!("cannot read {}: {reason}", path.display()))
    };
    let mut bytes = Vec::new();
    let mut read = || {
        // Without `NONBLOCK`, a pipe in the file's place would be waited for.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)
    };
    match read() {
        Err(error) => Err(failed(&error)),
        Ok(length) if length as u64 > MAX_BYTES => Err(failed(&"it is larger than 64 MiB")),
        Ok(_) => Ok(bytes),
    }
}
