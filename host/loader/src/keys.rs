//! Gives back the pthread keys that a library made.
//!
//! A plugin links its own copy of Rust's standard library, which makes a key for the end of
//! threads at its first use and never deletes it, see <https://github.com/rust-lang/rust/issues/91979>.
//! A process has 1,024 keys; and a key that outlives its library has a destructor that points
//! into nothing, where each thread that holds a value jumps as it ends.
//!
//! **Whose key it is** its destructor says, for it lies in the code of the library. glibc keeps
//! the destructors in a table, and exports it and its layout for debuggers: `libthread_db` reads
//! it in the same way. Here it is only read, and only once a key of our own was found in it
//! where it should be. With a libc that has no such table, keys stay where they are.
//! Other ways know less or touch more: what is new after a load may be another thread's key;
//! patching the library's import of `pthread_key_create` comes after its constructors have
//! run, and writes into what the linker made read-only; a function of that name in the host's
//! program is none in a program that embeds the host.
//!
//! **When to delete**: after `dlclose`, and only if the library went. Its code may use a key
//! until then, on any thread if something pins it, and would set values for whoever has the
//! number next. No thread of the bay is left to end in between. A value that some other
//! thread holds is forgotten, not dropped: what would drop it is gone. For Rust's own
//! key there is nothing to lose, since its value is the number 1.

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

/// Keys that were found to be a library's.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys(Vec<Key>);

/// One use of a key's number: `uses` grows when the number is taken, and when it is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    number: libc::pthread_key_t,
    uses: usize,
    destructor: usize,
}

/// An entry of glibc's table; `seq` is odd while the key is in use.
#[repr(C)]
struct Entry {
    seq: AtomicUsize,
    destr: AtomicUsize,
}

impl Keys {
    /// The keys in use whose destructors lie in this code, which must be mapped.
    pub(crate) fn of(code: &[Range<usize>]) -> Self {
        let lies_there = |key: &Key| code.iter().any(|range| range.contains(&key.destructor));
        Self((0..table().len()).filter_map(key).filter(lies_there).collect())
    }

    /// Deletes them; call it when the library is unmapped. Gives how many there were.
    pub(crate) fn delete(self) -> usize {
        // A number that another thread was just taking may have shown the destructor of
        // its last use, which was this library's. By now, a `dlclose` later, it shows its own.
        let still = self.0.into_iter().filter(|known| key(known.number as usize) == Some(*known));
        // SAFETY: the key is in use, and only the library that made it could have
        // deleted it in between; that library is gone, and with it all who use the key.
        still.filter(|known| unsafe { libc::pthread_key_delete(known.number) } == 0).count()
    }
}

/// What uses a number at this moment, if anything does.
fn key(number: usize) -> Option<Key> {
    let Entry { seq, destr } = table().get(number)?;
    let uses = seq.load(Ordering::Acquire);
    let destructor = destr.load(Ordering::Acquire);
    let number = libc::pthread_key_t::try_from(number).ok()?;
    (uses % 2 == 1).then_some(Key { number, uses, destructor })
}

/// glibc's table; empty if there is none, or none of the layout that is known here.
fn table() -> &'static [Entry] {
    static TABLE: OnceLock<&[Entry]> = OnceLock::new();
    TABLE.get_or_init(|| {
        let found = find().unwrap_or_default();
        if found.is_empty() {
            tracing::warn!("this C library hides its keys: each load of a plugin costs one");
        }
        found
    })
}

fn find() -> Option<&'static [Entry]> {
    // What glibc says to debuggers: how many bits one has, how many there are, from which byte on.
    type Description = [u32; 3];
    let program = Library::this();
    // SAFETY: all these symbols are data of the C library, which is never unmapped. Their names
    // are reserved to glibc, where they have these types since there is a `libthread_db`.
    let address = |name: &str| unsafe { program.get::<*const c_void>(name.as_bytes()) };
    let described = |name: &str| {
        let symbol = address(name).ok()?.cast::<Description>();
        // SAFETY: as above.
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
    // SAFETY: glibc has just said that there are so many entries of this layout. They are
    // never unmapped, and read as atomics, since other threads write them.
    let table = unsafe { std::slice::from_raw_parts(first, count as usize) };
    holds_a_key_of_ours(table).then_some(table)
}

/// The trial: a key shows itself in the table, and is gone from it when it is deleted.
fn holds_a_key_of_ours(table: &[Entry]) -> bool {
    extern "C" fn ours(_: *mut c_void) {}
    let mut number: c_uint = 0;
    // SAFETY: the pointer is valid, and the function is this program's own.
    if unsafe { libc::pthread_key_create(&raw mut number, Some(ours)) } != 0 {
        return false;
    }
    let look = || {
        let entry = table.get(number as usize)?;
        let uses = entry.seq.load(Ordering::Acquire);
        Some((uses, entry.destr.load(Ordering::Acquire)))
    };
    let during = look();
    // SAFETY: it was made above, and nothing else knows it.
    let deleted = unsafe { libc::pthread_key_delete(number) } == 0;
    let address = ours as extern "C" fn(*mut c_void) as usize;
    let shown = during.is_some_and(|(uses, destructor)| uses % 2 == 1 && destructor == address);
    let gone = look().map(|(uses, _)| uses) != during.map(|(uses, _)| uses);
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
        let keys = Keys::of(&[0..1, address..address + 1]);
        assert_eq!(keys.0.iter().map(|key| key.number as usize).collect::<Vec<_>>(), [mine]);
        let again = Keys::of(&[0..1, address..address + 1]);
        assert_eq!(keys.delete(), 1);
        assert!(key(other).is_some());
        // Whoever has the number now is left alone.
        assert_eq!(make(another), mine);
        assert_eq!(again.delete(), 0);
    }
}
