//! Other builds of a library, without the compiler: the same code in other bytes.

use std::{
    fs,
    path::{Path, PathBuf},
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
