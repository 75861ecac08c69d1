//! The inspection of one thread from outside, by means of `/proc/self/task`.

use std::{fs, io, ops::Range, os::unix::fs::FileExt};

use super::CodeRanges;
use crate::maps::Maps;

/// The number of bytes of a stack that are read at most. Threads have smaller stacks, unless
/// somebody asks for more.
const MAX_STACK: usize = 8 << 20;

/// The number of bytes that are read at a time.
const CHUNK: usize = 16 << 10;

const WORD: usize = size_of::<usize>();

/// The bits of a word that are an address. On aarch64, the other bits may be a signature of the
/// return address.
const ADDRESS_MASK: usize = if cfg!(target_arch = "aarch64") { (1 << 48) - 1 } else { usize::MAX };

/// The greatest distance in bytes between a thread's id and its start routine in glibc's descriptor
/// of the thread.
const DESCRIPTOR_SIZE: usize = 4 << 10;

/// The result of an inspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observation {
    /// The thread has ended, and is no longer among the threads of the process.
    Ended,
    /// The thread ran during the inspection, so nothing is known.
    Running,
    /// The thread slept in the code, was started there, or has a return address into it on its
    /// stack.
    Inside,
    /// The stack has an address in the code, but the thread was started by unrelated code. Most
    /// likely, the thread got the stack of another thread that ran in the code, and has not
    /// overwritten that word.
    Uncertain,
    /// The thread slept outside of the code, or is a zombie, which never runs again. A zombie stays
    /// among the threads of the process as long as it is the leader of the thread group.
    Outside,
}

/// What the inspection of threads needs.
#[derive(Debug)]
pub(super) struct Inspector<'a> {
    pub(super) code: &'a CodeRanges,
    pub(super) maps: &'a Maps,
    /// The address ranges of all code in the process.
    pub(super) executable: &'a [Range<usize>],
    /// `/proc/thread-self/mem`.
    pub(super) memory: &'a fs::File,
}

impl Inspector<'_> {
    /// Inspects a thread: its program counter, and every word of the used part of its stack.
    pub(super) fn inspect(&self, id: u32) -> Observation {
        match self.try_inspect(id) {
            Ok(observation) => observation,
            // The kernel reports ESRCH for a file that was opened before its thread ended.
            Err(error) if is_gone(&error) => Observation::Ended,
            Err(_) => Observation::Running,
        }
    }

    fn try_inspect(&self, id: u32) -> io::Result<Observation> {
        // The kernel shows the registers of a thread only while it sleeps. A thread that ran in
        // between has left its processor once more, so its counter of context switches has changed.
        let before = context_switches(id)?;
        if before == ContextSwitches::Ended {
            return Ok(Observation::Outside);
        }
        let Some(registers) = registers(id)? else { return Ok(Observation::Running) };
        let observation = self.judge(id, &registers);
        let slept =
            self::registers(id)?.as_ref() == Some(&registers) && context_switches(id)? == before;
        Ok(if slept { observation } else { Observation::Running })
    }

    fn judge(&self, id: u32, registers: &Registers) -> Observation {
        let Registers { stack_pointer, program_counter } = *registers;
        // A stack that was mapped after `maps` was read has to be inspected again.
        let Some(end) = self.maps.end_of(stack_pointer) else { return Observation::Running };
        let stack = self.read_stack(stack_pointer, end);
        let mut words = stack.iter().chain([&program_counter]);
        if !words.any(|word| is_in(&self.code.own, *word)) {
            return Observation::Outside;
        }
        let is_unrelated = || match self.start_routine(id, &stack) {
            Some(routine) => is_in(&self.code.unrelated, routine),
            None => id == std::process::id(),
        };
        if is_in(&self.code.own, program_counter) || !is_unrelated() {
            return Observation::Inside;
        }
        Observation::Uncertain
    }

    /// Reads the words of a stack from the stack pointer to the end of its mapping.
    fn read_stack(&self, from: usize, end: usize) -> Vec<usize> {
        let end = end.min(from.saturating_add(MAX_STACK));
        let mut at = from.next_multiple_of(WORD);
        let (mut words, mut chunk) = (Vec::new(), vec![0; CHUNK]);
        while at < end {
            let chunk = &mut chunk[..CHUNK.min(end - at)];
            // A page that cannot be read is the guard page of the next stack in the same mapping.
            let Ok(read @ 1..) = self.memory.read_at(chunk, at as u64) else { break };
            let (read_words, _) = chunk[..read].as_chunks::<WORD>();
            words.extend(read_words.iter().map(|word| usize::from_ne_bytes(*word)));
            at += read;
        }
        words
    }

    /// Finds the function that a thread was started with.
    ///
    /// glibc keeps its descriptor of a thread above the stack, in the same mapping. The start
    /// routine is the highest address of code there, and the thread's id is near to it.
    fn start_routine(&self, id: u32, stack: &[usize]) -> Option<usize> {
        let found = stack.iter().rposition(|word| is_in(self.executable, *word))?;
        let near = DESCRIPTOR_SIZE / WORD;
        let descriptor = &stack[found.saturating_sub(near)..stack.len().min(found + near)];
        // The id is a 32-bit number, so it is either half of a word.
        let has_id = |word: &usize| {
            let (low, high) = (word & 0xffff_ffff, word >> 32);
            low == id as usize || high == id as usize
        };
        descriptor.iter().any(has_id).then(|| stack[found])
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// The registers of a sleeping thread.
#[derive(Debug, PartialEq, Eq)]
struct Registers {
    stack_pointer: usize,
    program_counter: usize,
}

/// Reads the registers of a thread. Returns `None` if it does not sleep.
///
/// The format is `NUMBER ARGUMENT… STACK COUNTER`, or `running`: see proc_pid_syscall(5).
fn registers(id: u32) -> io::Result<Option<Registers>> {
    let text = fs::read_to_string(format!("/proc/self/task/{id}/syscall"))?;
    let mut words = text.split_whitespace().rev();
    let mut address = || usize::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (counter, stack) = (address(), address());
    Ok(counter
        .zip(stack)
        .map(|(program_counter, stack_pointer)| Registers { stack_pointer, program_counter }))
}

/// Returns `true` if the kernel shows the registers of threads.
pub(super) fn is_supported() -> bool {
    fs::read_to_string("/proc/thread-self/syscall").is_ok()
}

/// The number of times that a thread left a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ContextSwitches {
    Count(u64),
    /// The thread is a zombie: it will not run again.
    Ended,
}

fn context_switches(id: u32) -> io::Result<ContextSwitches> {
    let status = fs::read_to_string(format!("/proc/self/task/{id}/status"))?;
    Ok(context_switches_in(&status))
}

/// Finds the number in the status of a thread: see proc_pid_status(5).
fn context_switches_in(status: &str) -> ContextSwitches {
    let mut count = 0;
    for line in status.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        match name {
            "State" if value.trim_start().starts_with(['Z', 'X']) => {
                return ContextSwitches::Ended;
            }
            "voluntary_ctxt_switches" | "nonvoluntary_ctxt_switches" => {
                count += value.trim().parse().unwrap_or(0);
            }
            _ => {}
        }
    }
    ContextSwitches::Count(count)
}

/// Returns `true` if a word is an address in this code.
///
/// The first byte does not count: no call returns to it, and the host's own stacks have such words
/// after it has read its mappings.
fn is_in(code: &[Range<usize>], word: usize) -> bool {
    let address = word & ADDRESS_MASK;
    code.iter().any(|range| range.start < address && address <= range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_will_not_run_again_and_any_other_thread_is_counted() {
        let status = |state: &str| {
            format!(
                "Name:\tmain\nState:\t{state}\nThreads:\t2\nvoluntary_ctxt_switches:\t40\n\
                 nonvoluntary_ctxt_switches:\t2\n"
            )
        };
        for ended in ["Z (zombie)", "X (dead)"] {
            assert_eq!(context_switches_in(&status(ended)), ContextSwitches::Ended);
        }
        for alive in ["S (sleeping)", "R (running)", "D (disk sleep)", "T (stopped)"] {
            assert_eq!(context_switches_in(&status(alive)), ContextSwitches::Count(42));
        }
    }
}
