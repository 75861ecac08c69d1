//! File descriptors that cross between a host and a plugin.

use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};

use abi_stable::StableAbi;

/// A file descriptor whose owner changes. It is closed when it is dropped.
#[derive(Debug, StableAbi)]
#[repr(transparent)]
pub struct PassedFd(RawFd);

/// The value of one whose descriptor was taken out.
const NONE: RawFd = -1;

impl PassedFd {
    /// Returns the descriptor; `None` if whoever passed it passed none.
    pub fn into_owned(mut self) -> Option<OwnedFd> {
        self.take()
    }

    fn take(&mut self) -> Option<OwnedFd> {
        let fd = std::mem::replace(&mut self.0, NONE);
        // SAFETY: the descriptor came from an `OwnedFd`, and nobody else takes it, because it was
        // replaced in the same call.
        (fd != NONE).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

impl From<OwnedFd> for PassedFd {
    fn from(fd: OwnedFd) -> Self {
        Self(fd.into_raw_fd())
    }
}

impl Drop for PassedFd {
    fn drop(&mut self) {
        drop(self.take());
    }
}
