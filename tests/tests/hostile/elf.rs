//! A library's bytes, with names for the places that are worth changing.
//!
//! Numbers are from the System V ABI's chapters on ELF-64 and on dynamic linking.

use std::ops::Range;

use object::{Object, ObjectSection};

/// In the file's header.
pub(crate) mod header {
    pub(crate) const CLASS: usize = 4;
    pub(crate) const ENDIANNESS: usize = 5;
    pub(crate) const IDENT_VERSION: usize = 6;
    pub(crate) const TYPE: usize = 16;
    pub(crate) const MACHINE: usize = 18;
    pub(crate) const SEGMENTS: usize = 32;
    pub(crate) const SECTIONS: usize = 40;
    pub(crate) const SEGMENT_SIZE: usize = 54;
    pub(crate) const SEGMENT_COUNT: usize = 56;
    pub(crate) const SECTION_COUNT: usize = 60;
    pub(crate) const SECTION_NAMES: usize = 62;
    pub(crate) const END: usize = 64;
}

/// In a segment's header.
pub(crate) mod segment {
    pub(crate) const TYPE: usize = 0;
    pub(crate) const OFFSET: usize = 8;
    pub(crate) const ADDRESS: usize = 16;
    pub(crate) const FILE_SIZE: usize = 32;
    pub(crate) const MEMORY_SIZE: usize = 40;
    pub(crate) const END: usize = 56;

    pub(crate) const LOAD: u32 = 1;
    pub(crate) const DYNAMIC: u32 = 2;
}

/// In a section's header.
pub(crate) mod section {
    pub(crate) const TYPE: usize = 4;
    pub(crate) const OFFSET: usize = 24;
    pub(crate) const SIZE: usize = 32;
    pub(crate) const END: usize = 64;
}

/// An address at which nothing is.
pub(crate) const NOWHERE: u64 = 0x0000_5555_0000_0000;

pub(crate) struct Elf(Vec<u8>);

impl Elf {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        self.0[at..at + N].copy_from_slice(&bytes);
    }

    fn number<const N: usize>(&self, at: usize) -> usize {
        self.0[at..at + N].iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte))
    }

    /// Where the headers of the segments of this type are.
    pub(crate) fn segments(&self, kind: u32) -> Vec<usize> {
        let (first, count) =
            (self.number::<8>(header::SEGMENTS), self.number::<2>(header::SEGMENT_COUNT));
        let all = (0..count).map(|number| first + number * segment::END);
        all.filter(|&at| self.number::<4>(at + segment::TYPE) == kind as usize).collect()
    }

    /// Where the value of an entry of the dynamic section is.
    pub(crate) fn dynamic(&self, tag: usize) -> usize {
        let header = self.segments(segment::DYNAMIC)[0];
        let mut at = self.number::<8>(header + segment::OFFSET);
        while self.number::<8>(at) != tag {
            assert_ne!(self.number::<8>(at), 0, "no entry {tag} in the dynamic section");
            at += 16;
        }
        at + 8
    }

    /// Where a section's header is, and where its content.
    pub(crate) fn section(&self, name: &str) -> (usize, Range<usize>) {
        let file = object::File::parse(&*self.0).unwrap();
        let section = file.section_by_name(name).unwrap();
        let (start, size) = section.file_range().unwrap();
        let (start, size) = (usize::try_from(start).unwrap(), usize::try_from(size).unwrap());
        let headers = self.number::<8>(header::SECTIONS);
        (headers + section.index().0 * section::END, start..start + size)
    }

    /// Replaces a text by one of the same length, everywhere in a section.
    pub(crate) fn replace(&mut self, section: &str, from: &str, to: &str) {
        assert_eq!(from.len(), to.len(), "{from} and {to}");
        let (_, range) = self.section(section);
        let found = find(&self.0[range.clone()], from.as_bytes());
        assert!(!found.is_empty(), "no {from} in {section}");
        for at in found {
            self.0[range.start + at..][..to.len()].copy_from_slice(to.as_bytes());
        }
    }
}

/// Everywhere that `needle` is.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(needle.len()).enumerate();
    windows.filter(|(_, window)| *window == needle).map(|(at, _)| at).collect()
}
