//! What a probe may not do: limits on itself that it can't lift.

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

/// The largest file that may be written. Some libraries leave a small one when loaded.
const FILE: u64 = 1 << 20;
const DESCRIPTORS: u64 = 64;

/// Sets all limits, before any code of a library runs. Gives what could not be had on
/// this system and can be done without.
pub(super) fn confine(request: &Request) -> std::io::Result<Option<String>> {
    // A session of its own: no terminal, and a group that can be killed as one.
    match setsid() {
        // It is the first of a group already, as when started by hand from a shell.
        Ok(_) | Err(Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Pid::from_raw(request.parent) {
        return Err(std::io::Error::other("the parent is gone"));
    }
    // When memory runs out, it is this process that has to go. A system that does not
    // let one say so is none to fail about.
    drop(std::fs::write("/proc/self/oom_score_adj", "1000"));
    // A core file of a damaged library helps nobody, nor does a report of one.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::As, request.memory),
        (Resource::Cpu, request.cpu_seconds),
        (Resource::Fsize, FILE),
        (Resource::Nofile, DESCRIPTORS),
    ] {
        // What the host itself was allowed is less in places, and can't be raised.
        let allowed = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let most = Some(most.min(allowed));
        setrlimit(resource, Rlimit { current: most, maximum: most })?;
    }
    // A limit on the number of processes would count those that the user runs elsewhere,
    // and not hold for root at all. So it is starting one that is forbidden.
    let forbidden = forbid_processes();
    Ok(forbidden.err().map(|error| format!("it may start processes: {error}")))
}

/// From here on, starting or signalling a process ends this one, threads excepted.
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
    // The flags of this one stand in memory, where a filter can't look. The C library
    // takes `clone` where a kernel does not know it.
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
