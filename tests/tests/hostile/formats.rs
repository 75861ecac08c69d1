//! Bytes that are no shared library of this machine.

use std::fs;

use hotbay_tests::hotbay;

use crate::{
    elf::{header, section},
    kind::{Kind, bytes, change, good},
};

pub(crate) const KINDS: &[Kind] = &[
    bytes("nothing in it", NO, Vec::new),
    bytes("a text", NO, || b"these are notes\n".to_vec()),
    bytes("one byte", NO, || vec![0x7f]),
    bytes("a megabyte of zeros", NO, || vec![0; 1 << 20]),
    bytes("a script", NO, || b"#!/bin/sh\nrm -rf /\n".to_vec()),
    bytes("an archive", NO, || [b"!<arch>\n", &*good()].concat()),
    bytes("a compressed library", NO, || [b"\x1f\x8b\x08\x00", &*good()].concat()),
    bytes("a Windows program", NO, || [b"MZ\x90\x00", &*good()].concat()),
    bytes("a macOS library", NO, || [b"\xcf\xfa\xed\xfe", &*good()].concat()),
    bytes("a WebAssembly module", NO, || [b"\0asm\x01\0\0\0", &*good()].concat()),
    bytes("the first bytes of ELF", NO, || good()[..4].to_vec()),
    bytes("half a header", NO, || good()[..header::END / 2].to_vec()),
    bytes("nothing but a header", NO, || good()[..header::END].to_vec()),
    bytes("nothing but a header and its segments", NO, || good()[..header::END + 12 * 56].to_vec()),
    bytes("a program", &["not-a-plugin"], || fs::read(hotbay()).unwrap()),
    change("an object file", NO, |elf| elf.put(header::TYPE, [1, 0])),
    change("a program at a fixed address", NO, |elf| elf.put(header::TYPE, [2, 0])),
    change("a core dump", NO, |elf| elf.put(header::TYPE, [4, 0])),
    change("no type", NO, |elf| elf.put(header::TYPE, [0, 0])),
    change("32 bits", MACHINE, |elf| elf.put(header::CLASS, [1])),
    change("no class", NO, |elf| elf.put(header::CLASS, [9])),
    change("big-endian", MACHINE, |elf| elf.put(header::ENDIANNESS, [2])),
    change("another machine", &["other-machine"], |elf| elf.put(header::MACHINE, OTHER)),
    change("no machine that there is", MACHINE, |elf| elf.put(header::MACHINE, [0xff, 0xff])),
    change("a version of ELF to come", NO, |elf| elf.put(header::IDENT_VERSION, [2])),
    change("no sections", &["not-a-plugin"], |elf| {
        elf.put(header::SECTIONS, [0; 8]);
        elf.put(header::SECTION_COUNT, [0; 4]);
    }),
    change("sections past the end", NO, |elf| elf.put(header::SECTIONS, FAR)),
    change("more sections than bytes", NO, |elf| elf.put(header::SECTION_COUNT, [0xff, 0xfe])),
    change("section names that are not there", NO, |elf| {
        elf.put(header::SECTION_NAMES, [0xff, 0xfe]);
    }),
    change("section names past the end", &["not-a-plugin"], |elf| {
        let names = elf.section(".shstrtab").0;
        elf.put(names + section::OFFSET, FAR);
    }),
];

const NO: &[&str] = &["not-a-library"];
const MACHINE: &[&str] = &["not-a-library", "other-machine"];
const FAR: [u8; 8] = (u64::MAX / 2).to_le_bytes();

/// The machine that this one is not: aarch64 or x86-64.
const OTHER: [u8; 2] =
    if cfg!(target_arch = "x86_64") { 183_u16.to_le_bytes() } else { 62_u16.to_le_bytes() };
