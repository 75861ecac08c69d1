//! What is reached by a path: files can be read and not changed, other processes not even read.
//!
//! Landlock also keeps this process from tracing others and from reading their memory and
//! environment, from TCP connections, and from signals to others in every form.

use std::{fs, io, mem, path::PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    Scope, path_beneath_rules,
};
use rustix::fs::{CWD, Mode, OFlags, openat};

/// The newest version of Landlock whose restrictions were tried. An older kernel enforces those that
/// it knows; what it does not know is forbidden as system calls as well.
const TRIED: ABI = ABI::V6;

/// What a library may read in `/proc`: what concerns itself or the machine.
const OF_PROC: [&str; 16] = [
    "self",
    "thread-self",
    "cgroups",
    "cpuinfo",
    "devices",
    "driver",
    "filesystems",
    "loadavg",
    "meminfo",
    "modules",
    "mounts",
    "stat",
    "sys",
    "uptime",
    "version",
    "vmstat",
];

/// The devices that a library may read and write.
const DEVICES: [&str; 5] = ["full", "null", "random", "urandom", "zero"];

/// Forbids to change files and to read those of other processes.
pub(super) fn confine() -> io::Result<()> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let read_write = AccessFs::ReadFile | AccessFs::WriteFile;
    // A rule is about the folder of this very process, which the kernel may forget and make anew
    // while nobody has it open.
    let own = openat(CWD, "/proc/self", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let readable = readable()?;
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(TRIED))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(TRIED)))
        .and_then(|rules| rules.scope(Scope::from_all(TRIED)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(readable, read)))
        .and_then(|rules| {
            rules.add_rules(path_beneath_rules(beneath("/dev", &DEVICES), read_write))
        })
        .and_then(|rules| rules.restrict_self());
    let status = restricted.map_err(io::Error::other)?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err(io::Error::other("this kernel has no Landlock"));
    }
    mem::forget(own);
    Ok(())
}

/// Returns what can be read. A rule allows a whole folder, so the folders are named that stand
/// beside `/proc` and `/dev`.
fn readable() -> io::Result<Vec<PathBuf>> {
    let mut readable = Vec::new();
    for entry in fs::read_dir("/")? {
        let path = entry?.path();
        if !["/proc", "/dev"].iter().any(|apart| path.as_os_str() == *apart) {
            readable.push(path);
        }
    }
    readable.extend(beneath("/proc", &OF_PROC));
    Ok(readable)
}

fn beneath(folder: &str, names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| PathBuf::from(folder).join(name)).collect()
}
