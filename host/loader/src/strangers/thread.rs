//! One thread, seen from outside.

use std::{fs, io, ops::Range, os::unix::fs::FileExt};

use super::Code;
use crate::maps::Maps;

/// How deep a stack is looked at. Threads get less, unless somebody asks for more.
const DEEPEST: usize = 8 << 20;

/// How much of it is read at a time.
const PIECE: usize = 16 << 10;

/// The part of a word that is an address: aarch64 may sign return addresses in the rest.
const ADDRESS: usize = if cfg!(target_arch = "aarch64") { (1 << 48) - 1 } else { usize::MAX };

/// How far the number of a thread is from its start routine, in glibc's record of it, at most.
const RECORD: usize = 4 << 10;

/// What was seen of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// It ended.
    Gone,
    /// It ran while it was looked at, so nothing can be said.
    Moving,
    /// It stood still in the code, was started there, or has a way back into it on its stack.
    Inside,
    /// There is such a way, but it was started by somebody who has nothing to do with the
    /// code: most likely it was given the stack of a thread that ran there, and never wrote
    /// over that word.
    Doubtful,
    /// It stood still elsewhere.
    Outside,
}

/// What is needed to look at threads.
#[derive(Debug)]
pub(super) struct Eye<'a> {
    pub(super) code: &'a Code,
    pub(super) maps: &'a Maps,
    /// Where any code lies.
    pub(super) executable: &'a [Range<usize>],
    pub(super) memory: &'a fs::File,
}

impl Eye<'_> {
    /// Looks at a thread: where it stands, and every word of its stack in use.
    pub(super) fn look(&self, id: u32) -> Sight {
        match self.try_look(id) {
            Ok(sight) => sight,
            // ESRCH comes from a file that was opened before its thread ended.
            Err(error) if is_gone(&error) => Sight::Gone,
            Err(_) => Sight::Moving,
        }
    }

    fn try_look(&self, id: u32) -> io::Result<Sight> {
        // The system shows where a thread stands only while it sleeps. If it had run in between,
        // it would have left the processor once more before the second look.
        let before = switches(id)?;
        let Some(at) = place(id)? else { return Ok(Sight::Moving) };
        let sight = self.judge(id, &at);
        let still = place(id)?.as_ref() == Some(&at) && switches(id)? == before;
        Ok(match before {
            Switches::Ended => Sight::Gone,
            Switches::Count(_) if still => sight,
            Switches::Count(_) => Sight::Moving,
        })
    }

    fn judge(&self, id: u32, at: &Place) -> Sight {
        // A stack that was mapped after the mappings were read has to be looked at again.
        let Some(end) = self.maps.end_of(at.stack) else { return Sight::Moving };
        let stack = self.stack(at.stack, end);
        let mut words = stack.iter().chain([&at.counter]);
        if !words.any(|word| lies_in(&self.code.own, *word)) {
            return Sight::Outside;
        }
        let is_innocent = || match self.start_routine(id, &stack) {
            Some(routine) => lies_in(&self.code.innocent, routine),
            None => id == std::process::id(),
        };
        if lies_in(&self.code.own, at.counter) || !is_innocent() {
            return Sight::Inside;
        }
        Sight::Doubtful
    }

    /// The words of a stack in use, up to the end of its mapping.
    fn stack(&self, from: usize, end: usize) -> Vec<usize> {
        let end = end.min(from.saturating_add(DEEPEST));
        let mut at = from.next_multiple_of(WORD);
        let (mut words, mut piece) = (Vec::new(), vec![0; PIECE]);
        while at < end {
            let piece = &mut piece[..PIECE.min(end - at)];
            // What can't be read is a page that guards the next stack, in the same mapping.
            let Ok(read @ 1..) = self.memory.read_at(piece, at as u64) else { break };
            let read_words = piece[..read].chunks_exact(WORD);
            words.extend(
                read_words.map(|word| usize::from_ne_bytes(word.try_into().unwrap_or_default())),
            );
            at += read;
        }
        words
    }

    /// Where a thread began. The C library keeps its record of a thread above the stack, in the
    /// same mapping. No other address of code is further up, and the thread's number is near.
    fn start_routine(&self, id: u32, stack: &[usize]) -> Option<usize> {
        let found = stack.iter().rposition(|word| lies_in(self.executable, *word))?;
        let near = RECORD / WORD;
        let record = &stack[found.saturating_sub(near)..stack.len().min(found + near)];
        // The number is half a word.
        let is_its_own = |word: &usize| {
            let (low, high) = (word & 0xffff_ffff, word >> 32);
            low == id as usize || high == id as usize
        };
        record.iter().any(is_its_own).then(|| stack[found])
    }
}

const WORD: usize = size_of::<usize>();

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// Where a sleeping thread stands.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    stack: usize,
    counter: usize,
}

/// `NUMBER ARGUMENT… STACK COUNTER`, or `running`: see proc_pid_syscall(5).
fn place(id: u32) -> io::Result<Option<Place>> {
    let text = fs::read_to_string(format!("/proc/self/task/{id}/syscall"))?;
    let mut words = text.split_whitespace().rev();
    let mut address = || usize::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let counter = address();
    Ok(counter.and_then(|counter| Some(Place { counter, stack: address()? })))
}

/// Whether the system shows where threads stand.
pub(super) fn can_be_seen() -> bool {
    fs::read_to_string("/proc/thread-self/syscall").is_ok()
}

/// How often a thread left a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Switches {
    Count(u64),
    /// It won't run again.
    Ended,
}

fn switches(id: u32) -> io::Result<Switches> {
    let status = fs::read_to_string(format!("/proc/self/task/{id}/status"))?;
    let mut count = 0;
    for line in status.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        match name {
            "State" if value.trim_start().starts_with(['Z', 'X']) => return Ok(Switches::Ended),
            "voluntary_ctxt_switches" | "nonvoluntary_ctxt_switches" => {
                count += value.trim().parse().unwrap_or(0);
            }
            _ => {}
        }
    }
    Ok(Switches::Count(count))
}

/// Whether a word is an address in this code. Nothing returns to its first byte, which is what
/// the host itself has on its stacks when it reads its mappings.
fn lies_in(code: &[Range<usize>], word: usize) -> bool {
    let address = word & ADDRESS;
    code.iter().any(|range| range.start < address && address <= range.end)
}
