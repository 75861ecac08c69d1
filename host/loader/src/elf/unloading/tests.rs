use std::fs;

use proptest::prelude::*;

use super::*;
use crate::maps::Maps;

/// The bytes of a small library that every program of Rust has.
fn library() -> Vec<u8> {
    let maps = Maps::current();
    let mut libraries = maps.libraries();
    let path = libraries.find(|path| path.to_string_lossy().contains("libgcc_s")).unwrap();
    fs::read(path).unwrap()
}

fn find_in(bytes: &[u8]) -> Found {
    find(bytes).unwrap()
}

fn patched(bytes: &[u8], patches: &[Patch]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for patch in patches {
        let byte = &mut bytes[usize::try_from(patch.offset).unwrap()];
        assert_eq!(*byte, patch.from);
        *byte = patch.to;
    }
    bytes
}

/// The library with another entry in its dynamic section, in place of one that nothing needs.
fn with_dynamic(tag: u32, value: u64) -> Vec<u8> {
    let mut bytes = library();
    let image = Image::of(bytes.as_slice()).unwrap();
    let entry = image.dynamic().iter().find(|it| it.tag == u64::from(elf::DT_SONAME)).unwrap();
    let at = usize::try_from(entry.offset).unwrap();
    bytes[at - 8..at].copy_from_slice(&u64::from(tag).to_le_bytes());
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    bytes
}

/// The library with unique symbols of these names.
fn with_unique(names: &[&str]) -> Vec<u8> {
    let bytes = library();
    let image = Image::of(bytes.as_slice()).unwrap();
    let wanted = image
        .symbols()
        .filter(|it| it.is_defined() && names.contains(&image.name(it).unwrap().as_str()));
    let patches: Vec<_> = wanted.map(|it| it.with_binding(elf::STB_GNU_UNIQUE)).collect();
    patched(&bytes, &patches)
}

#[test]
fn an_ordinary_library_needs_no_patch() {
    let found = find_in(&library());
    assert_eq!(found.unloading, Unloading::default());
    assert!(found.flag.is_empty() && found.unique.is_empty());
}

#[test]
fn the_flag_is_found_and_cleared_and_the_other_flags_stay() {
    let others = u64::from(elf::DF_1_NOW | elf::DF_1_ORIGIN);
    let bytes = with_dynamic(elf::DT_FLAGS_1, others | NODELETE);
    let found = find_in(&bytes);
    assert_eq!(found.unloading, Unloading { nodelete: true, ..Unloading::default() });
    assert_eq!(patched(&bytes, &found.flag), with_dynamic(elf::DT_FLAGS_1, others));
}

#[test]
fn static_thread_locals_are_found() {
    let found = find_in(&with_dynamic(elf::DT_FLAGS, u64::from(elf::DF_STATIC_TLS)));
    assert_eq!(found.unloading, Unloading { static_tls: true, ..Unloading::default() });
    assert!(found.flag.is_empty());
}

#[test]
fn unique_symbols_are_found_and_become_weak_ones() {
    let bytes = with_unique(&["_Unwind_Resume", "_Unwind_Find_FDE"]);
    let found = find_in(&bytes);
    let mut names = found.unloading.unique_symbols.clone();
    names.sort_unstable();
    assert_eq!(names, ["_Unwind_Find_FDE", "_Unwind_Resume"]);
    let weak = patched(&bytes, &found.unique);
    assert_eq!(find_in(&weak).unloading, Unloading::default());
    let reversed: Vec<_> = found.unique.iter().map(|patch| patch.reversed()).collect();
    assert_eq!(patched(&weak, &reversed), bytes);
    for patch in found.unique {
        assert_eq!(patch.to >> 4, elf::STB_WEAK);
        assert_eq!(patch.to & 0xf, patch.from & 0xf, "the type of the symbol stays");
    }
}

proptest! {
    /// No byte of the tables that the module reads leads to a panic.
    #[test]
    fn wrong_numbers_do_no_harm(changes in prop::collection::vec((0_usize..1 << 13, any::<u8>()), 1..8)) {
        let mut bytes = with_unique(&["_Unwind_Resume"]);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        find(bytes.as_slice());
    }

    /// Nor does a number in the dynamic section, such as the address of a table.
    #[test]
    fn wrong_addresses_do_no_harm(entry in 0_usize..24, value in prop_oneof![any::<u64>(), 0..1_u64 << 18]) {
        let mut bytes = with_unique(&["_Unwind_Resume"]);
        let image = Image::of(bytes.as_slice()).unwrap();
        let at = image.dynamic().get(entry).map(|entry| usize::try_from(entry.offset).unwrap());
        if let Some(at) = at {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        find(bytes.as_slice());
    }
}
