//! Closing what a parent left open.

#![expect(unsafe_code, reason = "only the system call closes descriptors that have no owner")]

/// Closes all descriptors but the standard ones.
///
/// The host's own are closed by the kernel when the child starts, but a library that
/// the host loaded may have opened others without asking for that.
pub(super) fn close_inherited() -> std::io::Result<()> {
    let mut inherited = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        inherited.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    for descriptor in inherited.into_iter().filter(|it| *it > 2) {
        // One is that of the folder that was read, which is closed by now.
        // SAFETY: a process that becomes a probe does so first thing and never returns to
        // `main`, so nothing in it owns a descriptor that it would use or close later.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}
