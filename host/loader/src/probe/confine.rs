//! The limits that a probe sets on itself and cannot lift again.

use std::collections::BTreeMap;

use rustix::{
    io::Errno,
    process::{
        DumpableBehavior, Pid, Resource, Rlimit, Signal, getpid, getppid, getrlimit,
        set_dumpable_behavior, set_parent_process_death_signal, setrlimit, setsid,
    },
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use super::Request;

/// The size of the largest file that may be written. Some libraries write a small file when they
/// are loaded.
const FILE: u64 = 1 << 20;
/// The number of descriptors that may be open.
const DESCRIPTORS: u64 = 64;

/// Sets all limits. Call this before any code of a library runs.
///
/// Returns a description of the limit that this system lacks, if the probe can do without it.
pub(super) fn confine(request: &Request) -> std::io::Result<Option<String>> {
    // A session of its own has no terminal and a process group that can be killed as one.
    match setsid() {
        // The process leads a group already, as when it is started by hand from a shell.
        Ok(_) | Err(Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Pid::from_raw(request.parent) {
        return Err(std::io::Error::other("the parent is gone"));
    }
    // When memory runs out, the kernel should kill this process first. A system that does not
    // offer the choice is no reason to fail.
    drop(std::fs::write("/proc/self/oom_score_adj", "1000"));
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
        let most = Some(most.min(allowed));
        setrlimit(resource, Rlimit { current: most, maximum: most })?;
    }
    // A limit on the number of processes would count all processes of the user and would not
    // apply to root. So the system calls that start a process are forbidden instead.
    let forbidden = forbid_processes();
    Ok(forbidden.err().map(|error| format!("it may start processes: {error}")))
}

/// Makes the kernel kill this process when it starts or signals another one. Threads are allowed.
fn forbid_processes() -> Result<(), seccompiler::Error> {
    let own = u64::from(getpid().as_raw_nonzero().get().unsigned_abs());
    let always = Vec::new();
    let not_own = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, own)?;
    let others = vec![SeccompRule::new(vec![not_own])?];
    let threads = libc::CLONE_THREAD.unsigned_abs().into();
    let no_thread = SeccompCmpOp::MaskedEq(threads);
    let no_thread = SeccompCondition::new(0, SeccompCmpArgLen::Qword, no_thread, 0)?;
    let mut forbidden = BTreeMap::from([
        (libc::SYS_clone, vec![SeccompRule::new(vec![no_thread])?]),
        (libc::SYS_execve, always.clone()),
        (libc::SYS_execveat, always.clone()),
        (libc::SYS_kill, others.clone()),
        (libc::SYS_tgkill, others.clone()),
        (libc::SYS_tkill, always.clone()),
        (libc::SYS_rt_sigqueueinfo, others.clone()),
        (libc::SYS_rt_tgsigqueueinfo, others),
        (libc::SYS_pidfd_send_signal, always.clone()),
        (libc::SYS_ptrace, always.clone()),
        (libc::SYS_process_vm_writev, always.clone()),
    ]);
    #[cfg(target_arch = "x86_64")]
    forbidden.extend([(libc::SYS_fork, always.clone()), (libc::SYS_vfork, always.clone())]);
    forbid(forbidden, SeccompAction::KillProcess)?;
    // The flags of `clone3` are in memory, which a filter cannot read. The C library falls back
    // to `clone` if the kernel says that it does not know `clone3`.
    let unknown = u32::try_from(libc::ENOSYS).unwrap_or_default();
    forbid(BTreeMap::from([(libc::SYS_clone3, always)]), SeccompAction::Errno(unknown))
}

fn forbid(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    action: SeccompAction,
) -> Result<(), seccompiler::Error> {
    let here = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, action, here)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)
}
