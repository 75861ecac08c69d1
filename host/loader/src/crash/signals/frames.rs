//! The registers of a thread at the moment of a signal, and the return addresses on its stack.

use std::ffi::{c_int, c_void};

use crate::crash::slots::{self, Slot};

/// The registers that attribution needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Registers {
    pub(super) program_counter: usize,
    pub(super) stack_pointer: usize,
}

/// The number of bytes of a stack that are searched.
const SEARCHED_BYTES: usize = 64 << 10;

/// The number of bytes that are read at once. The alternate stack for signals is small.
const CHUNK: usize = 512;

const WORD: usize = size_of::<usize>();

/// The number of bytes before a return address that are needed to recognize a call instruction.
const BEFORE: usize = 8;

/// Reads the registers at the moment of a signal from the context of the handler.
#[cfg(target_arch = "x86_64")]
pub(super) fn registers(context: *mut c_void) -> Option<Registers> {
    // SAFETY: the kernel passes a valid context of this type, or a null pointer, to every
    // `SA_SIGINFO` handler.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() }?;
    let register = |index: c_int| {
        let value = context.uc_mcontext.gregs.get(usize::try_from(index).ok()?)?;
        usize::try_from(value.cast_unsigned()).ok()
    };
    Some(Registers {
        program_counter: register(libc::REG_RIP)?,
        stack_pointer: register(libc::REG_RSP)?,
    })
}

/// Reads the registers at the moment of a signal from the context of the handler.
#[cfg(target_arch = "aarch64")]
pub(super) fn registers(context: *mut c_void) -> Option<Registers> {
    // SAFETY: the kernel passes a valid context of this type, or a null pointer, to every
    // `SA_SIGINFO` handler.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() }?;
    let machine = &context.uc_mcontext;
    Some(Registers {
        program_counter: usize::try_from(machine.pc).ok()?,
        stack_pointer: usize::try_from(machine.sp).ok()?,
    })
}

/// Finds the build that contains the nearest return address on a stack.
///
/// Frames cannot be walked without knowing the frame layout of each function, so every word is
/// examined. A word that points behind a call instruction of a plugin is a return address, or was
/// one a short while ago.
pub(super) fn nearest(memory: c_int, stack: usize) -> Option<&'static Slot> {
    let from = stack.next_multiple_of(WORD);
    let mut chunk = [0; CHUNK];
    for at in (from..from.saturating_add(SEARCHED_BYTES)).step_by(CHUNK) {
        let read = read(memory, at, &mut chunk)?;
        let (words, _) = chunk.get(..read)?.as_chunks::<WORD>();
        let mut addresses = words.iter().map(|word| usize::from_ne_bytes(*word));
        let of_return = |address| {
            let slot = slots::of_code(address)?;
            let mut before = [0; BEFORE];
            let whole = read_exactly(memory, address.checked_sub(BEFORE)?, &mut before);
            (whole && is_behind_call(before)).then_some(slot)
        };
        if let Some(slot) = addresses.find_map(of_return) {
            return Some(slot);
        }
    }
    None
}

fn read_exactly(memory: c_int, at: usize, into: &mut [u8]) -> bool {
    read(memory, at, into) == Some(into.len())
}

/// Reads memory of this process. Returns `None` if the address is not mapped.
fn read(memory: c_int, at: usize, into: &mut [u8]) -> Option<usize> {
    let offset = libc::off_t::try_from(at).ok()?;
    // SAFETY: `into` is valid for writes of `into.len()` bytes.
    let read = unsafe { libc::pread(memory, into.as_mut_ptr().cast(), into.len(), offset) };
    usize::try_from(read).ok().filter(|read| *read > 0)
}

/// Returns `true` if these bytes end with a call instruction.
#[cfg(target_arch = "x86_64")]
fn is_behind_call(before: [u8; BEFORE]) -> bool {
    let [_, seventh, sixth, fifth, fourth, third, second, first] = before;
    // `call rel32`, or `ff /2` with as many bytes as its operand takes: Intel's manual, 2A, CALL.
    let is_indirect = |opcode: u8, operand: u8| opcode == 0xff && operand & 0x38 == 0x10;
    fifth == 0xe8
        || is_indirect(second, first)
        || is_indirect(third, second)
        || is_indirect(fourth, third)
        || is_indirect(sixth, fifth)
        || is_indirect(seventh, sixth)
}

/// Returns `true` if these bytes end with a call instruction.
#[cfg(target_arch = "aarch64")]
fn is_behind_call(before: [u8; BEFORE]) -> bool {
    let [.., a, b, c, d] = before;
    let instruction = u32::from_le_bytes([a, b, c, d]);
    // `bl`, `blr`, and the authenticated variants of `blr`: the Arm manual, C6.2.
    let is_authenticated = instruction & 0xfeff_f800 == 0xd63f_0800;
    instruction & 0xfc00_0000 == 0x9400_0000
        || instruction & 0xffff_fc1f == 0xd63f_0000
        || is_authenticated
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_call_is_a_return_address_and_nothing_else() {
        // Assembled: `call rel32`, `call rax`, `call [rax+8]`, `call [rip+rel32]`,
        // `call [rsp+8]`, `call [rax+rbx*8+disp32]`.
        for call in [
            &[0xe8, 1, 2, 3, 4][..],
            &[0xff, 0xd0],
            &[0xff, 0x50, 0x08],
            &[0xff, 0x15, 1, 2, 3, 4],
            &[0xff, 0x54, 0x24, 0x08],
            &[0xff, 0x94, 0xd8, 1, 2, 3, 4],
        ] {
            let mut before = [0x90; BEFORE];
            before[BEFORE - call.len()..].copy_from_slice(call);
            assert!(is_behind_call(before), "{call:x?}");
        }
        assert!(!is_behind_call([0x90; BEFORE]));
        // The beginning of a function: padding, a return, an indirect jump.
        assert!(!is_behind_call([0xcc; BEFORE]));
        assert!(!is_behind_call([0x90, 0x90, 0x90, 0x90, 0x90, 0x5d, 0xc3, 0xcc]));
        assert!(!is_behind_call([0x90, 0x90, 0xff, 0x25, 1, 2, 3, 4]));
    }
}
