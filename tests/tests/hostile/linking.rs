//! Libraries with a good descriptor that the dynamic linker can't take, or dies of.

use crate::{
    elf::{Elf, NOWHERE, header, segment},
    kind::{Kind, change},
};

/// Entries of the dynamic section.
const DT_HASH: usize = 0x6fff_fef5;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_RELA: usize = 7;
const DT_INIT: usize = 12;
const DT_INIT_ARRAY: usize = 25;

pub(crate) const KINDS: &[Kind] = &[
    change("segments past the end", LINKER, |elf| elf.put(header::SEGMENTS, FAR)),
    change("no segments", LINKER, |elf| elf.put(header::SEGMENT_COUNT, [0, 0])),
    change("more segments than bytes", LINKER, |elf| elf.put(header::SEGMENT_COUNT, [0xff, 0xff])),
    change("segments of one byte", LINKER, |elf| elf.put(header::SEGMENT_SIZE, [1, 0])),
    change("nothing to load", LINKER, |elf| {
        for at in elf.segments(segment::LOAD) {
            elf.put(at + segment::TYPE, [0; 4]);
        }
    }),
    change("a segment longer than the file", LINKER, |elf| {
        let last = elf.segments(segment::LOAD).pop().unwrap();
        elf.put(last + segment::FILE_SIZE, (1_u64 << 30).to_le_bytes());
        elf.put(last + segment::MEMORY_SIZE, (1_u64 << 30).to_le_bytes());
    }),
    change("a segment larger than memory", LINKER, |elf| {
        load(elf, 3, segment::MEMORY_SIZE, 1 << 60);
    }),
    change("a segment behind the file", LINKER, |elf| load(elf, 1, segment::OFFSET, 1 << 40)),
    change("a segment at an odd address", LINKER, |elf| load(elf, 1, segment::ADDRESS, 0x1_2345)),
    change("segments in the wrong order", LINKER, |elf| load(elf, 0, segment::ADDRESS, 1 << 30)),
    change("no dynamic section", LINKER, |elf| {
        let at = elf.segments(segment::DYNAMIC)[0];
        elf.put(at + segment::TYPE, [0; 4]);
    }),
    change("a dynamic section that is nowhere", LINKER, |elf| {
        let at = elf.segments(segment::DYNAMIC)[0];
        elf.put(at + segment::ADDRESS, NOWHERE.to_le_bytes());
    }),
    change("names that are nowhere", LINKER, |elf| dynamic(elf, DT_STRTAB)),
    change("symbols that are nowhere", LINKER, |elf| dynamic(elf, DT_SYMTAB)),
    change("a hash table that is nowhere", LINKER, |elf| dynamic(elf, DT_HASH)),
    change("relocations that are nowhere", LINKER, |elf| dynamic(elf, DT_RELA)),
    change("a relocation into nowhere", LINKER, |elf| {
        let (_, first) = elf.section(".rela.dyn");
        elf.put(first.start, NOWHERE.to_le_bytes());
    }),
    change("a relocation of a symbol that is not there", LINKER, |elf| {
        let (_, first) = elf.section(".rela.plt");
        elf.put(first.start + 12, [0xff, 0xff, 0xff, 0]);
    }),
    change("a symbol of a version that is not there", &["damaged"], |elf| {
        // Which version it finds there depends on what lies behind the linker's own table.
        let (_, versions) = elf.section(".gnu.version");
        elf.put(versions.start + 2 * 18, [0x2d, 0]);
    }),
    change("a symbol that is nowhere", LINKER, |elf| {
        let (_, symbols) = elf.section(".dynsym");
        elf.put(symbols.end - 16, NOWHERE.to_le_bytes());
    }),
    change("a start function that is nowhere", LINKER, |elf| dynamic(elf, DT_INIT)),
    change("constructors that are nowhere", LINKER, |elf| dynamic(elf, DT_INIT_ARRAY)),
    change("a library that is missing", &["linking"], |elf| {
        elf.replace(".dynstr", "libgcc_s.so.1", "libgcc_x.so.1");
    }),
    change("a symbol that is missing", &["linking"], |elf| {
        elf.replace(".dynstr", "pthread_key_create", "pthread_key_hotbay");
    }),
    change("a libc to come", &["linking"], |elf| {
        elf.replace(".dynstr", "GLIBC_2.34", "GLIBC_9.99");
    }),
];

/// Refused by the linker, or the death of the probe.
const LINKER: &[&str] = &["not-a-library", "damaged", "linking", "probe-crashed"];
const FAR: [u8; 8] = (u64::MAX / 2).to_le_bytes();

fn load(elf: &mut Elf, number: usize, field: usize, value: u64) {
    let at = elf.segments(segment::LOAD)[number];
    elf.put(at + field, value.to_le_bytes());
}

fn dynamic(elf: &mut Elf, tag: usize) {
    let at = elf.dynamic(tag);
    elf.put(at, NOWHERE.to_le_bytes());
}
