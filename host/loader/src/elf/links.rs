//! The dependencies of a library, which are the libraries that it asks the dynamic linker for.

use std::{fs::File, path::Path};

use object::{
    Endianness, ReadCache, elf,
    read::elf::{Dyn, ElfFile64},
};

/// The entries of the dynamic section by which the linker connects libraries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// The library's own name, its `DT_SONAME`, if it has one.
    pub(crate) name: Option<String>,
    /// The names of the libraries that this one needs, or is a filter for.
    pub(crate) needed: Vec<String>,
    /// Where the linker looks for them first, its `DT_RPATH` and `DT_RUNPATH`: folders between
    /// colons.
    pub(crate) paths: Vec<String>,
}

/// Reads the entries of a file. They are empty if the file is not a library or cannot be read.
pub(crate) fn links_of(path: &Path) -> Links {
    try_links_of(path).unwrap_or_default()
}

fn try_links_of(path: &Path) -> Option<Links> {
    let cache = ReadCache::new(File::open(path).ok()?);
    let file = ElfFile64::<Endianness, _>::parse(&cache).ok()?;
    let (endian, data, sections) = (file.endian(), file.data(), file.elf_section_table());
    let (entries, names) = sections.dynamic(endian, data).ok()??;
    let names = sections.strings(endian, data, names).ok()?;
    let mut links = Links::default();
    for entry in entries {
        let text = || {
            let text = names.get(entry.val32(endian)?).ok()?;
            Some(String::from_utf8_lossy(text).into_owned())
        };
        match entry.tag32(endian) {
            Some(elf::DT_NEEDED | elf::DT_FILTER | elf::DT_AUXILIARY) => {
                links.needed.extend(text())
            }
            Some(elf::DT_RPATH | elf::DT_RUNPATH) => links.paths.extend(text()),
            Some(elf::DT_SONAME) => links.name = text(),
            Some(elf::DT_NULL) => break,
            _ => {}
        }
    }
    Some(links)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_needs_the_c_library() {
        let links = links_of(&std::env::current_exe().unwrap());
        assert!(links.needed.iter().any(|name| name == "libc.so.6"), "{links:?}");
        assert_eq!(links_of(Path::new("/dev/null")), Links::default());
    }
}
