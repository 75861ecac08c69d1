//! Giving up what the host may do, because of its user or as a member of the system.

use std::fs;

use rustix::{
    io,
    process::{getegid, geteuid},
    thread::{CapabilitySet, CapabilitySets, UnshareFlags, capabilities, set_capabilities},
};

/// Gives up all capabilities but the one to read files, which loading a library may need.
///
/// A process with fewer capabilities than another one cannot trace that one, or read its memory.
pub(super) fn drop_all() -> io::Result<()> {
    let kept = capabilities(None)?.permitted & CapabilitySet::DAC_READ_SEARCH;
    let inheritable = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable })
}

/// Enters a network without interfaces, and a space of its own for shared memory and queues.
///
/// A user other than root needs a user namespace for that, in which the user keeps its numbers.
pub(super) fn enter_namespaces() -> std::io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    let mut flags = UnshareFlags::NEWNET | UnshareFlags::NEWIPC;
    if !user.is_root() {
        flags |= UnshareFlags::NEWUSER;
    }
    #[expect(deprecated, reason = "unsafe is a flag that is not used here, for descriptors")]
    rustix::thread::unshare(flags)?;
    if !user.is_root() {
        let user = format!("{user} {user} 1");
        let group = format!("{group} {group} 1");
        // The kernel wants the right to change groups to be given up first.
        for (name, content) in [("setgroups", "deny"), ("uid_map", &user), ("gid_map", &group)] {
            fs::write(format!("/proc/self/{name}"), content)?;
        }
    }
    Ok(())
}
