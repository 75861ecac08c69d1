//! Gets rid of the descriptors that a child inherited.

#![expect(unsafe_code, reason = "only a system call reaches descriptors that have no owner here")]

/// Has the kernel close all descriptors but the standard ones as soon as this process becomes
/// another program.
///
/// The kernel closes the host's own descriptors when the child starts. But a library in the host
/// may have opened descriptors without the close-on-exec flag.
pub(super) fn close_at_exec() -> std::io::Result<()> {
    let mut inherited = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        inherited.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    for descriptor in inherited.into_iter().filter(|it| *it > 2) {
        // One of them belonged to `read_dir` and is closed already, which is an error of the call.
        // SAFETY: the call sets a flag. It closes nothing and touches no memory, so whatever owns
        // the descriptor can use it as before.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}
