//! The limits that a probe sets on itself and cannot lift again.
//!
//! Landlock holds what is reached by a path: nothing is written, and no other process is looked
//! into. Seccomp holds what is reached by a number: no process is started, signalled or changed.
//! What the one lacks on an old kernel, the other and the namespaces hold in part.

mod calls;
mod files;
mod privileges;

use super::Request;
use rustix::{
    io::Errno,
    process::{
        DumpableBehavior, Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_dumpable_behavior,
        set_parent_process_death_signal, setrlimit, setsid,
    },
};

/// The size of the largest file that may be written. Some libraries write a small file when they
/// are loaded.
const FILE: u64 = 1 << 20;
/// The number of descriptors that may be open.
const DESCRIPTORS: u64 = 64;

/// Sets all limits. Call this before any code of a library runs.
///
/// Returns a description of the limits that this system lacks, if the probe can do without them.
pub(super) fn confine(request: &Request) -> std::io::Result<Option<String>> {
    // A session of its own has no terminal and a process group that can be killed as one.
    match setsid() {
        // The process leads a group already, as when it is started by hand from a shell.
        Ok(_) | Err(Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    // When memory runs out, the kernel should kill this process first. A system that does not
    // offer the choice is no reason to fail.
    drop(std::fs::write("/proc/self/oom_score_adj", "1000"));
    let namespaces = privileges::enter_namespaces();
    // Only now, because the kernel forgets this signal when a process gives up its privileges.
    let privileges = privileges::drop_all();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Pid::from_raw(request.parent) {
        return Err(std::io::Error::other("the parent is gone"));
    }
    // A core file of a damaged library helps nobody, nor does a crash report.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::As, request.memory),
        (Resource::Cpu, request.cpu_seconds),
        (Resource::Fsize, FILE),
        (Resource::Nofile, DESCRIPTORS),
    ] {
        // The limit of the host itself may be lower, and cannot be raised.
        let allowed = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let most = most.min(allowed);
        // At its soft limit of processor time, a process gets SIGXCPU, which tells why it ended. At
        // the hard limit it gets SIGKILL, as from anybody.
        let grace = u64::from(resource == Resource::Cpu);
        let maximum = Some(most.saturating_add(grace).min(allowed));
        setrlimit(resource, Rlimit { current: Some(most), maximum })?;
    }
    let files = files::confine();
    // A limit on the number of processes would count all processes of the user and would not
    // apply to root. So the system calls that start a process are forbidden instead.
    let calls = calls::confine();
    let mut lacks = Vec::new();
    if let Err(error) = calls {
        lacks.push(format!("it may start processes: {error}"));
    }
    if let Err(error) = privileges {
        lacks.push(format!("it keeps the privileges of the host: {error}"));
    }
    if let Err(error) = files {
        lacks.push(format!("it may write files: {error}"));
        // They hold some of what Landlock would.
        lacks.extend(namespaces.err().map(|error| format!("it has no namespaces: {error}")));
    }
    Ok((!lacks.is_empty()).then(|| lacks.join("; ")))
}
