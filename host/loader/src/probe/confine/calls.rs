//! What is reached by a system call: no process is started, signalled, traced or changed, and
//! nothing is said to the network or to the system.

use std::collections::BTreeMap;

use libc::c_long;
use rustix::process::getpid;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter, sock_filter,
};

type Calls = BTreeMap<i64, Vec<SeccompRule>>;

/// Forbids the calls. Threads are allowed.
pub(super) fn confine() -> Result<(), Error> {
    // A file tells by a kill that it reached for another process. Other calls fail as they would
    // without the right to make them, because good libraries try some of them.
    forbid_other_numbers()?;
    forbid(deadly()?, SeccompAction::KillProcess)?;
    forbid(refused()?, SeccompAction::Errno(libc::EPERM.unsigned_abs()))?;
    // The C library falls back to `clone` if the kernel says that it does not know `clone3`, whose
    // flags are in memory, where a filter cannot read them. A ring makes calls that no filter sees.
    let unknown = [
        libc::SYS_clone3,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
    ];
    forbid(always(&unknown), SeccompAction::Errno(libc::ENOSYS.unsigned_abs()))
}

/// What starts, signals, traces or takes from another process.
fn deadly() -> Result<Calls, Error> {
    let no_thread = SeccompCmpOp::MaskedEq(libc::CLONE_THREAD.unsigned_abs().into());
    let no_thread = SeccompCondition::new(0, SeccompCmpArgLen::Qword, no_thread, 0)?;
    let mut calls = always(&[
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_tkill,
        libc::SYS_pidfd_send_signal,
        libc::SYS_pidfd_getfd,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
    ]);
    #[cfg(target_arch = "x86_64")]
    calls.extend(always(&[libc::SYS_fork, libc::SYS_vfork]));
    calls.insert(libc::SYS_clone, vec![SeccompRule::new(vec![no_thread])?]);
    let by_number = [
        libc::SYS_kill,
        libc::SYS_tgkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_pidfd_open,
    ];
    for call in by_number {
        calls.insert(call, vec![rule([is_not(0, own())?])?]);
    }
    // Zero is the calling process.
    calls.insert(libc::SYS_prlimit64, vec![rule([is_not(0, own())?, is_not(0, 0)?])?]);
    // The signals of asynchronous input go to whom the caller names.
    let group = own().wrapping_neg() & u64::from(u32::MAX);
    calls.insert(
        libc::SYS_fcntl,
        vec![
            rule([is(1, F_SETOWN)?, is_not(2, own())?, is_not(2, group)?])?,
            rule([is(1, F_SETOWN_EX)?])?,
            rule([is(1, F_SETSIG)?])?,
        ],
    );
    calls.insert(libc::SYS_ioctl, vec![rule([is(1, FIOSETOWN)?])?, rule([is(1, SIOCSPGRP)?])?]);
    Ok(calls)
}

// From `asm-generic/fcntl.h` and `asm-generic/sockios.h`; `libc` lacks some of them.
const F_SETOWN: u64 = 8;
const F_SETSIG: u64 = 10;
const F_SETOWN_EX: u64 = 15;
const FIOSETOWN: u64 = 0x8901;
const SIOCSPGRP: u64 = 0x8902;

/// What changes other processes or the system without harming them at once, or talks to others.
fn refused() -> Result<Calls, Error> {
    let mut calls = always(&REFUSED);
    #[cfg(target_arch = "x86_64")]
    calls.extend(always(&[
        libc::SYS_chmod,
        libc::SYS_chown,
        libc::SYS_lchown,
        libc::SYS_utime,
        libc::SYS_utimes,
        libc::SYS_futimesat,
    ]));
    // The kernel knows threads by number as well, so this also refuses what names a thread of this
    // process: there is no telling it from a thread of the host.
    let by_number = [
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setattr,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setscheduler,
        libc::SYS_migrate_pages,
        libc::SYS_move_pages,
    ];
    for call in by_number {
        calls.insert(call, vec![rule([is_not(0, own())?, is_not(0, 0)?])?]);
    }
    // Both take a kind, of which one is a single process, before the number.
    for (call, process) in [(libc::SYS_setpriority, 0), (libc::SYS_ioprio_set, 1)] {
        let others = rule([is_not(1, own())?, is_not(1, 0)?])?;
        calls.insert(call, vec![others, rule([is_not(0, process)?])?]);
    }
    let terminal = [libc::TIOCSTI, libc::TIOCSCTTY, libc::TIOCLINUX];
    let terminal = terminal.iter().map(|request| rule([is(1, *request)?]));
    calls.insert(libc::SYS_ioctl, terminal.collect::<Result<_, _>>()?);
    // A lease on a file of the host makes the host wait when it opens the file.
    calls.insert(libc::SYS_fcntl, vec![rule([is(1, 1024)?])?]);
    let death = libc::PR_SET_PDEATHSIG.unsigned_abs().into();
    calls.insert(libc::SYS_prctl, vec![rule([is(0, death)?])?]);
    Ok(calls)
}

const REFUSED: [c_long; 38] = [
    // Landlock does not hold these changes of files, in any version or in older ones.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_truncate,
    libc::SYS_open_by_handle_at,
    libc::SYS_socket,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
];

/// The same number on both architectures; `libc` lacks it.
const SYS_FCHMODAT2: c_long = 452;

fn always(calls: &[c_long]) -> Calls {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

fn own() -> u64 {
    u64::from(getpid().as_raw_nonzero().get().unsigned_abs())
}

fn rule<const N: usize>(conditions: [SeccompCondition; N]) -> Result<SeccompRule, Error> {
    Ok(SeccompRule::new(conditions.into())?)
}

fn is(argument: u8, value: u64) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?)
}

fn is_not(argument: u8, value: u64) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)?)
}

fn forbid(calls: Calls, action: SeccompAction) -> Result<(), Error> {
    let here = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, action, here)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)
}

/// Forbids the calls of the x32 ABI, which have numbers of their own for what is forbidden here.
fn forbid_other_numbers() -> Result<(), Error> {
    const X32: u32 = 0x4000_0000;
    // The codes are those of `linux/bpf_common.h`. The number of the call is the first word.
    let load = sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 };
    let is_other = sock_filter { code: 0x35, jt: 0, jf: 1, k: X32 };
    let answer = |k| sock_filter { code: 0x06, jt: 0, jf: 0, k };
    let (kill, allow) = (0x8000_0000, 0x7fff_0000);
    apply_filter(&[load, is_other, answer(kill), answer(allow)])
}
