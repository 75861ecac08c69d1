//! What the system lacks, by the errors that it gives.
//!
//! An error of the operating system is about the call that failed. "No such file or directory" for a
//! path in `/proc` sends an operator to look for the plugin, when `/proc` is what is missing.

use std::{io, path::Path};

use rustix::io::Errno;

/// Something that the system lacks, so that a plugin cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lack {
    /// `/proc`, without which checked files cannot be read and no probe starts.
    #[error("/proc is not mounted")]
    Proc,
    /// `/dev/null`.
    #[error("there is no /dev/null")]
    Null,
    /// A free file descriptor.
    #[error("no descriptor is left")]
    Descriptors,
    /// Memory.
    #[error("no memory is left")]
    Memory,
    /// The right to start a further thread or process.
    #[error("no further thread or process can be started")]
    Threads,
    /// Room on a file system.
    #[error("no room is left on the device")]
    Room,
}

impl Lack {
    /// Returns what the system lacks according to an error, if the error says that.
    pub fn of(error: &io::Error) -> Option<Self> {
        if let Some(lack) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return Some(*lack);
        }
        match Errno::from_io_error(error)? {
            Errno::MFILE | Errno::NFILE => Some(Self::Descriptors),
            Errno::NOMEM => Some(Self::Memory),
            Errno::AGAIN => Some(Self::Threads),
            Errno::NOSPC | Errno::DQUOT => Some(Self::Room),
            _ => None,
        }
    }

    /// Returns what an operator can do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Proc => "mount it: `mount -t proc proc /proc`",
            Self::Null => "make /dev available, or at least `mknod -m 666 /dev/null c 1 3`",
            Self::Descriptors => {
                "raise the limit on open files (`ulimit -n`, `LimitNOFILE=`); a running \
                 host tries again by itself"
            }
            Self::Memory => "free memory, or raise the limit; a running host tries again by itself",
            Self::Threads => {
                "raise the limit on threads and processes (`ulimit -u`, `TasksMax=`); a running \
                 host tries again by itself"
            }
            Self::Room => {
                "make room in the temporary folder, or name another one in TMPDIR; a running host \
                 tries again by itself"
            }
        }
    }
}

/// Replaces an error by what the system lacks, if the error says that.
pub fn named(error: io::Error) -> io::Error {
    match Lack::of(&error) {
        Some(lack) => io::Error::new(error.kind(), lack),
        None => error,
    }
}

/// Replaces "not found" for a path in `/proc` by what is missing, if that is all of `/proc`.
pub fn named_in_proc(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound && !Path::new("/proc/self").exists() {
        return io::Error::new(error.kind(), Lack::Proc);
    }
    named(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_named_by_what_the_system_lacks() {
        let text = |code: Errno| named(code.into()).to_string();
        assert_eq!(text(Errno::MFILE), "no descriptor is left");
        assert_eq!(text(Errno::NFILE), "no descriptor is left");
        assert_eq!(text(Errno::NOMEM), "no memory is left");
        assert_eq!(text(Errno::AGAIN), "no further thread or process can be started");
        assert_eq!(text(Errno::NOSPC), "no room is left on the device");
        assert!(text(Errno::ACCESS).starts_with("Permission denied"));
    }

    #[test]
    fn a_lack_is_found_in_the_error_that_names_it() {
        let error = named(Errno::MFILE.into());
        assert_eq!(Lack::of(&error), Some(Lack::Descriptors));
        let missing = named_in_proc(Errno::NOENT.into());
        assert_eq!(Lack::of(&missing), None, "/proc is mounted here");
    }
}
