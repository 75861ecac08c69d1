//! A library's file as the dynamic linker sees it.
//!
//! The dynamic linker finds everything through the program headers and the dynamic section, and
//! never looks at section headers. So does this module: every number is an address, which is
//! translated to a place in the file. All numbers may be wrong, and a wrong one yields `None`.

use object::{
    Endianness, ReadRef,
    elf::{self, FileHeader64},
    read::elf::{FileHeader, ProgramHeader},
};

use super::Patch;

/// The longest name of a symbol that is read, in bytes. The names of C++ templates are long.
const MAX_NAME: u64 = 4 << 10;

/// The size of an entry of the symbol table, in bytes.
const SYMBOL_SIZE: usize = 24;

/// The size of an entry of the dynamic section, in bytes.
const DYNAMIC_SIZE: usize = 16;

/// A 64-bit little-endian library.
#[derive(Debug)]
pub(super) struct Image<R> {
    bytes: R,
    loaded: Vec<Segment>,
    dynamic: Vec<DynamicEntry>,
}

#[derive(Debug)]
struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

/// An entry of the dynamic section.
#[derive(Debug, Clone, Copy)]
pub(super) struct DynamicEntry {
    pub(super) tag: u64,
    pub(super) value: u64,
    /// The offset of `value` in the file.
    pub(super) offset: u64,
}

/// An entry of the symbol table: see elf(5).
#[derive(Debug)]
pub(super) struct Symbol {
    /// The offset of the entry in the file.
    offset: u64,
    name: u32,
    info: u8,
    section: u16,
}

impl Symbol {
    /// Returns `true` if the library defines the symbol and does not only use it.
    pub(super) fn is_defined(&self) -> bool {
        self.section != elf::SHN_UNDEF
    }

    /// Returns `true` if the library defines the symbol, once for the whole process.
    pub(super) fn is_unique(&self) -> bool {
        self.is_defined() && self.info >> 4 == elf::STB_GNU_UNIQUE
    }

    /// Returns the patch that gives the symbol another binding.
    pub(super) fn with_binding(&self, binding: u8) -> Patch {
        Patch { offset: self.offset + 4, from: self.info, to: binding << 4 | self.info & 0xf }
    }
}

/// A part of the file.
#[derive(Debug, Clone, Copy)]
struct Part<'d> {
    bytes: &'d [u8],
    /// The offset of the bytes in the file.
    offset: u64,
}

impl<'d, R: ReadRef<'d>> Image<R> {
    /// Reads the program headers and the dynamic section.
    pub(super) fn of(bytes: R) -> Option<Self> {
        let header = FileHeader64::<Endianness>::parse(bytes).ok()?;
        let endian = header.endian().ok().filter(|endian| *endian == Endianness::Little)?;
        let (mut loaded, mut dynamic) = (Vec::new(), None);
        for segment in header.program_headers(endian, bytes).ok()? {
            let (offset, size) = segment.file_range(endian);
            let address = segment.p_vaddr(endian);
            match segment.p_type(endian) {
                elf::PT_LOAD => loaded.push(Segment { address, offset, size }),
                elf::PT_DYNAMIC => dynamic = Some((address, size)),
                _ => {}
            }
        }
        let mut image = Self { bytes, loaded, dynamic: Vec::new() };
        let (address, size) = dynamic?;
        image.dynamic = entries(image.read(address, size)?);
        Some(image)
    }

    /// Returns the entries of the dynamic section.
    pub(super) fn dynamic(&self) -> &[DynamicEntry] {
        &self.dynamic
    }

    /// Returns the symbols: those that the library uses, and those that can be found in it by name.
    pub(super) fn symbols(&self) -> impl Iterator<Item = Symbol> {
        let table = self.symbol_table();
        table.into_iter().flat_map(|Part { bytes, offset }| {
            let (symbols, _) = bytes.as_chunks::<SYMBOL_SIZE>();
            let offsets = (offset..).step_by(SYMBOL_SIZE);
            offsets.zip(symbols).map(|(offset, bytes)| Symbol {
                offset,
                name: u32_at(bytes, 0).unwrap_or_default(),
                info: bytes[4],
                section: u16::from_le_bytes([bytes[6], bytes[7]]),
            })
        })
    }

    fn symbol_table(&self) -> Option<Part<'d>> {
        let address = value_of(&self.dynamic, elf::DT_SYMTAB)?;
        let count = match value_of(&self.dynamic, elf::DT_GNU_HASH) {
            Some(hash) => self.count_in_gnu_hash(hash),
            None => self.count_in_hash(value_of(&self.dynamic, elf::DT_HASH)?),
        };
        self.read(address, count?.checked_mul(SYMBOL_SIZE as u64)?)
    }

    /// Returns the name of a symbol. Bytes that are not UTF-8 are replaced.
    pub(super) fn name(&self, symbol: &Symbol) -> Option<String> {
        let names = value_of(&self.dynamic, elf::DT_STRTAB)?;
        let (offset, left) = self.locate(names.checked_add(symbol.name.into())?)?;
        let end = offset + left.min(MAX_NAME);
        let name = self.bytes.read_bytes_at_until(offset..end, 0).ok()?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Counts the symbols with a table of `DT_HASH`, which has an entry for each symbol.
    fn count_in_hash(&self, hash: u64) -> Option<u64> {
        u32_at(self.read(hash, 8)?.bytes, 4).map(u64::from)
    }

    /// Counts the symbols with a table of `DT_GNU_HASH`: the chain of the last bucket ends with the
    /// last symbol.
    fn count_in_gnu_hash(&self, hash: u64) -> Option<u64> {
        let (_, left) = self.locate(hash)?;
        let table = self.read(hash, left)?.bytes;
        let [buckets, first, filters] = [0, 4, 8].map(|at| u32_at(table, at).map(u64::from));
        let (first, begin) = (first?, 16 + filters? * 8);
        let end = begin + buckets? * 4;
        let buckets = table.get(usize::try_from(begin).ok()?..usize::try_from(end).ok()?)?;
        let last = words(buckets).max().map(u64::from)?;
        // No symbol can be found by name, so the undefined ones are all that there is.
        let Some(skipped) = last.checked_sub(first) else { return Some(first) };
        let chain = table.get(usize::try_from(end + skipped * 4).ok()?..)?;
        let behind = words(chain).position(|word| word & 1 == 1)?;
        Some(last + behind as u64 + 1)
    }

    /// Reads at most this many bytes, as far as their segment goes.
    fn read(&self, address: u64, size: u64) -> Option<Part<'d>> {
        let (offset, left) = self.locate(address)?;
        let bytes = self.bytes.read_bytes_at(offset, size.min(left)).ok()?;
        Some(Part { bytes, offset })
    }

    /// Translates an address to an offset in the file. Returns the number of bytes from there to
    /// the end of the segment as well.
    fn locate(&self, address: u64) -> Option<(u64, u64)> {
        self.loaded.iter().rev().find_map(|segment| {
            let into = address.checked_sub(segment.address)?;
            let left = segment.size.checked_sub(into).filter(|left| *left > 0)?;
            let offset = segment.offset.checked_add(into)?;
            offset.checked_add(left).map(|_| (offset, left))
        })
    }
}

/// Parses the entries of the dynamic section up to the one that ends it.
fn entries(section: Part<'_>) -> Vec<DynamicEntry> {
    let (entries, _) = section.bytes.as_chunks::<DYNAMIC_SIZE>();
    let offsets = (section.offset + 8..).step_by(DYNAMIC_SIZE);
    let entries = offsets.zip(entries).map_while(|(offset, bytes)| {
        Some(DynamicEntry { tag: u64_at(bytes, 0)?, value: u64_at(bytes, 8)?, offset })
    });
    entries.take_while(|entry| entry.tag != u64::from(elf::DT_NULL)).collect()
}

/// Returns the value of the last entry with a tag, which is the one that the dynamic linker uses.
pub(super) fn value_of(dynamic: &[DynamicEntry], tag: u32) -> Option<u64> {
    dynamic.iter().rev().find(|entry| entry.tag == u64::from(tag)).map(|entry| entry.value)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word))
}
