//! Reads a library's descriptor from its ELF sections, without running its code.

mod image;
mod links;
mod symbol_names;
mod tables;
mod unloading;

use std::fs::File;

use hotbay_plugin_api::abi::{
    API_VERSION, DESCRIPTOR_SECTION, DescriptorText, ENTRY_PREFIX, LibraryHeader,
};
use object::{
    Architecture, Object, ObjectKind, ObjectSection, ObjectSegment, ObjectSymbol, ReadCache,
    ReadRef,
};

use crate::{
    Refusal,
    text::{is_name, is_printable},
};

pub(crate) use links::links_of;
pub(crate) use symbol_names::SymbolNames;
pub(crate) use unloading::{Found, Patch, read as read_unloading};
pub use unloading::{UniqueKept, Unloading};

/// The architecture that this host runs on.
const HOST_ARCHITECTURE: Architecture =
    if cfg!(target_arch = "aarch64") { Architecture::Aarch64 } else { Architecture::X86_64 };

/// Reads the descriptor of a plugin from an open file, of which only the parts that are needed are
/// read.
///
/// # Errors
/// If the file is not a shared library of this machine with a descriptor and entry symbol of this
/// host's API version.
pub(crate) fn read_descriptor(file: File) -> Result<DescriptorText, Refusal> {
    read(&ReadCache::new(file))
}

fn read<'d>(bytes: impl ReadRef<'d>) -> Result<DescriptorText, Refusal> {
    let file = parse(bytes)?;
    let section = file.section_by_name(DESCRIPTOR_SECTION).ok_or(Refusal::NotAPlugin)?;
    let descriptor =
        DescriptorText::parse(section.data().map_err(malformed)?).ok_or(Refusal::NotAPlugin)?;
    check_texts(&descriptor)?;
    if descriptor.api_version != API_VERSION {
        let plugin = descriptor.name;
        return Err(Refusal::ApiVersion { plugin, found: descriptor.api_version });
    }
    let entry = entry_symbol(&descriptor);
    let exports = |symbol: &object::Symbol<'d, '_, _>| {
        symbol.name().is_ok_and(|name| name == entry) && symbol.is_definition()
    };
    let Some(symbol) = file.dynamic_symbols().find(exports) else {
        return Err(Refusal::Descriptor(format!("it names `{entry}`, which is not exported")));
    };
    if !is_header(symbol.address(), symbol.size()) {
        return Err(Refusal::Descriptor(format!("`{entry}` has not the size of a plugin's entry")));
    }
    if let object::File::Elf64(file) = &file {
        tables::check(file).map_err(Refusal::Damaged)?;
    }
    Ok(descriptor)
}

/// Returns `true` if there is room for a header at an address, which is aligned as one. A library is
/// mapped at the beginning of a page, so its addresses in memory are aligned as those in the file.
fn is_header(address: u64, size: u64) -> bool {
    address.is_multiple_of(align_of::<LibraryHeader>() as u64)
        && size >= size_of::<LibraryHeader>() as u64
}

/// Parses a whole shared library of this host's architecture.
fn parse<'d, R: ReadRef<'d>>(bytes: R) -> Result<object::File<'d, R>, Refusal> {
    if bytes.len() == Ok(0) {
        return Err(Refusal::NotALibrary("the file is empty".to_owned()));
    }
    if bytes.read_bytes_at(0, 4) != Ok(b"\x7fELF") {
        return Err(Refusal::NotALibrary("the file does not begin as ELF does".to_owned()));
    }
    let file = object::File::parse(bytes).map_err(malformed)?;
    if file.architecture() != HOST_ARCHITECTURE || !file.is_64() || !file.is_little_endian() {
        return Err(Refusal::OtherMachine(format!("{:?}", file.architecture())));
    }
    if file.kind() != ObjectKind::Dynamic {
        return Err(Refusal::NotALibrary(format!("it is of kind {:?}", file.kind())));
    }
    let end = bytes.len().unwrap_or_default();
    let is_whole =
        |(offset, size): (u64, u64)| offset.checked_add(size).is_some_and(|it| it <= end);
    if !file.segments().all(|segment| is_whole(segment.file_range())) {
        // Mapping the file would succeed, and touching the missing pages would raise SIGBUS.
        return Err(Refusal::Damaged("its end is missing".to_owned()));
    }
    Ok(file)
}

// The message is all that `object` gives, so nothing is lost by keeping the text alone.
fn malformed(error: object::Error) -> Refusal {
    Refusal::NotALibrary(error.to_string())
}

/// Refuses texts that would have effects in a log, a path or a terminal.
fn check_texts(descriptor: &DescriptorText) -> Result<(), Refusal> {
    let DescriptorText { package, name, version, rustc, target, .. } = descriptor;
    for (what, text) in [("package", package), ("name", name)] {
        if !is_name(text) {
            return Err(Refusal::Descriptor(format!("its {what} is {text:?}")));
        }
    }
    for (what, text) in [("version", version), ("compiler", rustc), ("target", target)] {
        if !is_printable(text) {
            return Err(Refusal::Descriptor(format!("its {what} is {text:?}")));
        }
    }
    Ok(())
}

/// Returns the name of the symbol that leads to the plugin's module.
pub(crate) fn entry_symbol(descriptor: &DescriptorText) -> String {
    format!("{ENTRY_PREFIX}{}", descriptor.package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_library_is_refused_with_its_reason() {
        let code = |bytes: &[u8]| read(bytes).unwrap_err().code().as_str();
        assert_eq!(code(b""), "not-a-library");
        assert_eq!(code(b"hello"), "not-a-library");
        assert_eq!(code(b"\x7fELF and then nothing that makes sense"), "not-a-library");
    }

    #[test]
    fn an_entry_that_is_too_short_or_lies_askew_is_no_header() {
        let size = size_of::<LibraryHeader>() as u64;
        assert!(is_header(0x1000, size) && is_header(0x1008, size + 8));
        assert!(!is_header(0x1000, size - 1) && !is_header(0x1004, size));
    }

    #[test]
    fn a_program_is_not_a_plugin() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        // A position-independent program is of the same ELF kind as a library.
        assert_eq!(read(program.as_slice()).unwrap_err().code().as_str(), "not-a-plugin");
    }
}
