//! Libraries that load, but say wrong things about themselves.

use crate::{
    elf::{Elf, section},
    kind::{Kind, change},
};

const SECTION: &str = ".hotbay.plugin";

/// Where things are in the descriptor.
const MAGIC: usize = 0;
const API_VERSION: usize = 8;
const PACKAGE: usize = 16;
const NAME: usize = 80;
const VERSION: usize = 144;
const TEXT: usize = 64;

pub(crate) const KINDS: &[Kind] = &[
    change("no descriptor", NOT, |elf| {
        elf.replace(".shstrtab", SECTION, ".hotdog.plugin");
    }),
    change("another magic", NOT, |elf| put(elf, MAGIC, b"HOTDOG\0\x01")),
    change("a later layout of the descriptor", NOT, |elf| put(elf, MAGIC, b"HOTBAY\0\x02")),
    change("an empty descriptor", NOT, |elf| resize(elf, 0)),
    change("half a descriptor", NOT, |elf| resize(elf, 100)),
    change("a descriptor larger than the file", &["not-a-library"], |elf| resize(elf, 1 << 40)),
    change("a descriptor that is not in the file", NOT, |elf| {
        let (header, _) = elf.section(SECTION);
        elf.put(header + section::TYPE, [8, 0, 0, 0]);
    }),
    change("an API of the past", &["api-version"], |elf| put(elf, API_VERSION, &[0; 4])),
    change("an API to come", &["api-version"], |elf| put(elf, API_VERSION, &[0xff; 4])),
    change("no name", DESCRIPTOR, |elf| text(elf, NAME, b"")),
    change("a name that is a path", DESCRIPTOR, |elf| name(elf, "../../up")),
    change("a name that moves the cursor", DESCRIPTOR, |elf| name(elf, "ab\x1b[2Jcd")),
    change("a name of two lines", DESCRIPTOR, |elf| name(elf, "mis\needs")),
    change("a name that is an option", DESCRIPTOR, |elf| name(elf, "--force1")),
    change("a name that is no UTF-8", DESCRIPTOR, |elf| text(elf, NAME, b"misdeed\xff")),
    change("a name without an end", &["manifest"], |elf| text(elf, NAME, &[b'x'; TEXT])),
    change("a version with a bell", DESCRIPTOR, |elf| text(elf, VERSION, b"1.0\x07")),
    change("a name that the manifest does not know", &["manifest"], |elf| {
        text(elf, NAME, b"somebody");
    }),
    change("the entry of another package", DESCRIPTOR, |elf| {
        text(elf, PACKAGE, b"somebody");
    }),
    change("no entry", DESCRIPTOR, |elf| {
        elf.replace(".dynstr", "hotbay_plugin_entry_misdeeds", "hotbay_plugin_entry_mistakes");
    }),
    change("two components of one name", &["manifest"], |elf| {
        elf.replace(".rodata", "schema-2", "schema-1");
    }),
    change("a component without a sensible name", &["manifest"], |elf| {
        elf.replace(".rodata", "schema-2", "../etc/x");
    }),
    change("a description that moves the cursor", &["manifest"], |elf| {
        elf.replace(".rodata", "A plugin that does", "A plu\x1b[2J that do\x07");
    }),
];

const NOT: &[&str] = &["not-a-plugin"];
const DESCRIPTOR: &[&str] = &["descriptor"];

fn put<const N: usize>(elf: &mut Elf, at: usize, bytes: &[u8; N]) {
    let (_, content) = elf.section(SECTION);
    elf.put(content.start + at, *bytes);
}

/// Writes one of the descriptor's texts, which end in zeros.
fn text(elf: &mut Elf, at: usize, text: &[u8]) {
    let mut bytes = [0; TEXT];
    bytes[..text.len()].copy_from_slice(text);
    put(elf, at, &bytes);
}

/// Writes the name where it stands in the descriptor and where the manifest takes it from.
fn name(elf: &mut Elf, name: &str) {
    text(elf, NAME, name.as_bytes());
    elf.replace(".rodata", "misdeeds", name);
}

fn resize(elf: &mut Elf, size: u64) {
    let (header, _) = elf.section(SECTION);
    elf.put(header + section::SIZE, size.to_le_bytes());
}
