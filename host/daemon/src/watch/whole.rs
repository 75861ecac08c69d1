//! Checking that a library has all the parts that its headers describe.
//!
//! A file that is written in pieces, with pauses longer than the settle time, looks settled in between.
//! Its headers, which are written first, tell how long it will be.

use std::io::{Read, Seek};

use object::{
    LittleEndian, ReadCache, ReadRef,
    elf::{ET_DYN, FileHeader64},
    read::elf::{FileHeader, ProgramHeader, SectionHeader},
};

type Header = FileHeader64<LittleEndian>;

/// The size of the smallest header in bytes.
const HEADER: u64 = size_of::<Header>() as u64;

/// Returns the part of a library of `size` bytes that is missing.
///
/// Returns `None` if the library is complete, or if the file is not a library for this system, which the
/// loader reports better.
pub(super) fn missing_part(file: impl Read + Seek, size: u64) -> Option<String> {
    let data = ReadCache::new(file);
    let head = (&data).read_bytes_at(0, size.min(4)).ok()?;
    if size < HEADER && b"\x7fELF".starts_with(head) {
        return Some(format!("it has {size} bytes, less than a header"));
    }
    // Linkers that map their output write the header last.
    if head.iter().all(|byte| *byte == 0) {
        return Some("it begins with zeros".to_owned());
    }
    let header = Header::parse(&data).ok()?;
    let endian = header.endian().ok()?;
    if header.e_type.get(endian) != ET_DYN {
        return None;
    }
    let beyond = |what: &str, end: Option<u64>| match end {
        Some(end) if end <= size => None,
        Some(end) => Some(format!("its {what} reach to byte {end}, it has {size}")),
        None => Some(format!("its {what} reach beyond every file")),
    };
    let table = |start: u64, entries: u16, each: u16| {
        start.checked_add(u64::from(entries) * u64::from(each))
    };
    let of_segments =
        table(header.e_phoff(endian), header.e_phnum(endian), header.e_phentsize(endian));
    let of_sections =
        table(header.e_shoff(endian), header.e_shnum(endian), header.e_shentsize(endian));
    if let Some(missing) =
        beyond("segment headers", of_segments).or_else(|| beyond("section headers", of_sections))
    {
        return Some(missing);
    }
    let segments = header.program_headers(endian, &data).ok()?.iter();
    let mut segments =
        segments.map(|segment| segment.p_offset(endian).checked_add(segment.p_filesz(endian)));
    if let Some(missing) = segments.find_map(|end| beyond("segments", end)) {
        return Some(missing);
    }
    let sections = header.section_headers(endian, &data).ok()?.iter();
    let mut sections = sections.filter_map(|section| {
        // None for one without bytes in the file, such as `.bss`.
        let (offset, length) = section.file_range(endian)?;
        Some(offset.checked_add(length))
    });
    sections.find_map(|end| beyond("sections", end))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::watch::tests::elf;

    fn missing(bytes: &[u8]) -> Option<String> {
        missing_part(Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn every_beginning_of_a_library_is_incomplete() {
        let library = elf(&[7; 300]);
        assert_eq!(missing(&library), None);
        for length in 0..library.len() {
            assert!(missing(&library[..length]).is_some(), "{length} of {}", library.len());
        }
    }

    #[test]
    fn what_is_no_library_is_left_to_the_loader() {
        for other in [&b"hello"[..], b"#!/bin/sh\n", &[0x7f, b'E', b'L', b'F', 1].repeat(20)] {
            assert_eq!(missing(other), None);
        }
    }

    #[test]
    fn a_file_that_is_not_written_yet_is_incomplete() {
        assert!(missing(b"").is_some());
        assert!(missing(&[0; 4096]).is_some());
    }

    #[test]
    fn headers_that_speak_of_more_than_any_file_has_do_no_harm() {
        let mut library = elf(&[7; 300]);
        for offset in [0x20, 0x28, 0x40 + 8, 0x40 + 32] {
            library[offset..offset + 8].fill(0xff);
            assert!(missing(&library).is_some(), "{offset}");
        }
    }
}
