//! Deletes the pthread keys that an unmapped library created.
//!
//! A plugin has its own copy of Rust's standard library, which creates a key at its first use, to
//! run code at the end of threads, and never deletes it:
//! <https://github.com/rust-lang/rust/issues/91979>. A process has 1,024 keys. And if a key
//! outlives its library, the destructor of the key points to unmapped memory, and each thread
//! that has a value for the key jumps there when it ends.
//!
//! **Which keys are the library's** follows from their destructors, which lie in the library's
//! code. glibc keeps the destructors in a table, and exports the table and its layout for
//! debuggers, as used by `libthread_db`. This module only reads the table, and only after a key
//! of its own was found in it at the right place. With another C library, keys are not deleted.
//! The alternatives know less or change more: a key that is new after a load may belong to
//! another thread; patching the library's import of `pthread_key_create` happens after its
//! constructors have run, and writes to pages that the linker made read-only; defining a function
//! of that name works in the `hotbay` program but not in a program that embeds the host.
//!
//! **When the keys are deleted**: after `dlclose`, and only if the library was unmapped. Until
//! then, its code may use a key, on any thread if something keeps the library mapped, and would
//! set values of the next key with the same number. No thread of the bay can end in between. If
//! another thread has a value for the key, that value is leaked, because the code that would drop
//! it is gone. For the key of Rust's standard library nothing is lost: its value is the number 1.

#![expect(unsafe_code, reason = "keys are the C library's, and so is the table of them")]

use std::{
    ffi::{c_uint, c_void},
    mem::{offset_of, size_of},
    ops::Range,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use libloading::os::unix::Library;

/// The keys that a library created.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PthreadKeys(Vec<KeyUse>);

/// One use of a key number. `sequence` is incremented when the number is taken and when it is
/// released, so that two uses of a number differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KeyUse {
    number: libc::pthread_key_t,
    sequence: usize,
    destructor: usize,
}

/// An entry of glibc's table. `seq` is odd while the key is in use.
#[repr(C)]
struct Entry {
    seq: AtomicUsize,
    destr: AtomicUsize,
}

impl PthreadKeys {
    /// Finds the keys whose destructors lie in this code. The code must be mapped.
    pub(crate) fn of(code: &[Range<usize>]) -> Self {
        let lies_there = |key: &KeyUse| code.iter().any(|range| range.contains(&key.destructor));
        Self((0..table().len()).filter_map(key).filter(lies_there).collect())
    }

    /// Deletes the keys, and returns their number. Call this after the library was unmapped.
    pub(crate) fn delete(self) -> usize {
        // A number that another thread was just taking in `of` may still have had the destructor of
        // its last use, which was the library's. By now it has its own, and so is filtered out.
        let still = self.0.into_iter().filter(|known| key(known.number as usize) == Some(*known));
        // SAFETY: `still` has just seen that each key is the same use of its number as in `of`.
        // Only the library that created it would delete it, and the library is unmapped, so no
        // code that uses the key is left.
        still.filter(|known| unsafe { libc::pthread_key_delete(known.number) } == 0).count()
    }
}

/// Returns the current use of a number, if it is in use.
fn key(number: usize) -> Option<KeyUse> {
    let Entry { seq, destr } = table().get(number)?;
    let sequence = seq.load(Ordering::Acquire);
    let destructor = destr.load(Ordering::Acquire);
    let number = libc::pthread_key_t::try_from(number).ok()?;
    (sequence % 2 == 1).then_some(KeyUse { number, sequence, destructor })
}

/// Returns glibc's table, or an empty one if there is none with the expected layout.
fn table() -> &'static [Entry] {
    static TABLE: OnceLock<&[Entry]> = OnceLock::new();
    TABLE.get_or_init(|| {
        let found = find().unwrap_or_default();
        if found.is_empty() {
            tracing::warn!(
                "this C library hides its pthread keys: each load of a plugin costs one"
            );
        }
        found
    })
}

fn find() -> Option<&'static [Entry]> {
    // The description for debuggers: the bits of an element, the number of elements, and the offset
    // of the first element in bytes.
    type Description = [u32; 3];
    let program = Library::this();
    // SAFETY: each symbol below is looked up as a pointer to data. Identifiers that begin with two
    // underscores or `_thread_db` are reserved to glibc, in which these symbols are data. The C
    // library is never unmapped, so the pointers stay valid.
    let address = |name: &str| unsafe { program.get::<*const c_void>(name.as_bytes()) };
    let described = |name: &str| {
        let symbol = address(name).ok()?.cast::<Description>();
        // SAFETY: glibc declares every `_thread_db_` symbol that is used here as `uint32_t[3]`, in
        // `nptl_db/structs.def`, and never writes to it.
        Some(unsafe { symbol.read() })
    };
    let bits = |bytes: usize| u32::try_from(bytes * 8).ok();
    let [size, count, 0] = described("_thread_db___pthread_keys")? else { return None };
    let word = bits(size_of::<usize>())?;
    let at = |offset: usize| Some([word, 1, u32::try_from(offset).ok()?]);
    let known = bits(size_of::<Entry>())? == size
        && described("_thread_db_pthread_key_struct_seq") == at(offset_of!(Entry, seq))
        && described("_thread_db_pthread_key_struct_destr") == at(offset_of!(Entry, destr));
    if !known {
        return None;
    }
    let first = address("__pthread_keys").ok()?.cast::<Entry>();
    // SAFETY: glibc has just said that the table has `count` entries, and `known` that their size
    // and fields are those of `Entry`. The table is static data of the C library. Other threads
    // write to it, which is why the fields of `Entry` are atomics.
    let table = unsafe { std::slice::from_raw_parts(first, count as usize) };
    shows_own_key(table).then_some(table)
}

/// Checks the table with a key of this program: the key must appear in the table, and must be gone
/// after it was deleted.
fn shows_own_key(table: &[Entry]) -> bool {
    extern "C" fn destructor(_: *mut c_void) {}
    let mut number: c_uint = 0;
    // SAFETY: `number` is valid for a write, and `destructor` is never unmapped: it belongs to the
    // program, or to the library that contains the host.
    if unsafe { libc::pthread_key_create(&raw mut number, Some(destructor)) } != 0 {
        return false;
    }
    let look = || {
        let entry = table.get(number as usize)?;
        let sequence = entry.seq.load(Ordering::Acquire);
        Some((sequence, entry.destr.load(Ordering::Acquire)))
    };
    let during = look();
    // SAFETY: the key was created above, and nothing else knows it.
    let deleted = unsafe { libc::pthread_key_delete(number) } == 0;
    let address = destructor as extern "C" fn(*mut c_void) as usize;
    let shown = during.is_some_and(|(sequence, found)| sequence % 2 == 1 && found == address);
    let gone = look().map(|(sequence, _)| sequence) != during.map(|(sequence, _)| sequence);
    shown && deleted && gone
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn destructor(_: *mut c_void) {}

    fn make(destructor: extern "C" fn(*mut c_void)) -> usize {
        let mut number = 0;
        // SAFETY: the pointer is valid, and the function lives as long as the program.
        assert_eq!(unsafe { libc::pthread_key_create(&raw mut number, Some(destructor)) }, 0);
        number as usize
    }

    #[test]
    fn keys_are_known_by_their_destructors_and_no_others_are_given_back() {
        extern "C" fn another(argument: *mut c_void) {
            std::hint::black_box(argument);
        }
        let (mine, other) = (make(destructor), make(another));
        let address = destructor as extern "C" fn(*mut c_void) as usize;
        let keys = PthreadKeys::of(&[0..1, address..address + 1]);
        assert_eq!(keys.0.iter().map(|key| key.number as usize).collect::<Vec<_>>(), [mine]);
        let again = PthreadKeys::of(&[0..1, address..address + 1]);
        assert_eq!(keys.delete(), 1);
        assert!(key(other).is_some());
        // Whoever has the number now is left alone.
        assert_eq!(make(another), mine);
        assert_eq!(again.delete(), 0);
    }
}
