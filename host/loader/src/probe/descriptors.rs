//! Closes the descriptors that a child inherited.

#![expect(unsafe_code, reason = "only the system call closes descriptors that have no owner")]

/// Closes all descriptors but the standard ones.
///
/// The kernel closes the host's own descriptors when the child starts. But a library in the host
/// may have opened descriptors without the close-on-exec flag.
pub(super) fn close_inherited() -> std::io::Result<()> {
    let mut inherited = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        inherited.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    for descriptor in inherited.into_iter().filter(|it| *it > 2) {
        // One of them belonged to `read_dir` and is closed already; closing it again fails.
        // SAFETY: closing a descriptor touches no memory of this process. A process becomes a
        // probe first thing in `main`, has one thread and never returns to `main`, so no object
        // owns one of these descriptors and would use or close another file in its place.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}
