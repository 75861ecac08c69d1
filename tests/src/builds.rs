//! Other builds of a library, without the compiler: the same code in other bytes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use object::{
    Endianness, Object, ObjectSection, ObjectSymbol, elf::STB_GNU_UNIQUE, read::elf::ElfFile64,
};

/// Before the word that says how a build of a fixture behaves.
const MARK: &[u8] = b"HOTBAY-TEST-BUILD:";

/// Returns another build of a library, which does the same and has other bytes.
///
/// What follows the last section of an ELF file belongs to nobody.
///
/// # Panics
/// If the library can't be read.
pub fn another_build(library: &Path, number: u64) -> Vec<u8> {
    let mut bytes = fs::read(library).expect("a library can be read");
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes
}

/// A build of a fixture that behaves as this word says.
///
/// # Panics
/// If the library can't be read, or has no place for the word.
pub fn build_that(library: &Path, behaviour: &str) -> Vec<u8> {
    let mut bytes = fs::read(library).expect("a library can be read");
    let places: Vec<_> =
        bytes.windows(MARK.len()).enumerate().filter(|(_, it)| *it == MARK).collect();
    let &[(at, _)] = places.as_slice() else {
        panic!("one place for the word in {}, found {}", library.display(), places.len())
    };
    let place = &mut bytes[at + MARK.len()..][..30];
    place.fill(b'.');
    place[..behaviour.len()].copy_from_slice(behaviour.as_bytes());
    bytes
}

/// Returns a build of a library in which this exported symbol is unique in the process
/// (`STB_GNU_UNIQUE`). C++ has such symbols; the linker of Rust hides them, as all that is not
/// Rust's.
///
/// # Panics
/// If the library can't be read, or does not export the symbol.
pub fn build_with_unique(library: &Path, symbol: &str) -> Vec<u8> {
    let mut bytes = fs::read(library).expect("a library can be read");
    let elf = ElfFile64::<Endianness>::parse(bytes.as_slice()).expect("a library is an ELF file");
    let (table, _) =
        elf.section_by_name(".dynsym").and_then(|it| it.file_range()).expect("symbols");
    let found = elf.dynamic_symbols().find(|it| it.name() == Ok(symbol));
    let index = found.unwrap_or_else(|| panic!("it exports no {symbol}")).index().0;
    // An entry has 24 bytes, and the upper half of the fifth one is the binding: see elf(5).
    let info = &mut bytes[usize::try_from(table).expect("a small file") + index * 24 + 4];
    *info = STB_GNU_UNIQUE << 4 | *info & 0xf;
    bytes
}

/// Puts a file in its place in one step, as `install` and `mv` do.
///
/// # Panics
/// If it can't be written.
pub fn put(path: &Path, bytes: &[u8]) -> PathBuf {
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.new"));
    fs::write(&temporary, bytes).expect("a file can be written");
    fs::rename(&temporary, path).expect("a file can be renamed");
    path.to_owned()
}
