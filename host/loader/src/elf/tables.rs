//! Checks the tables that the dynamic linker uses without checking them.
//!
//! The dynamic linker adds the numbers in a library's tables to the address of the library, and
//! reads or writes there. A wrong number can kill one process and leave the next one unharmed,
//! because the address differs, so a probe alone proves little.

use object::{
    Object, ObjectSegment, ObjectSymbol, ObjectSymbolTable, ReadRef, RelocationFlags,
    RelocationTarget, SymbolKind, SymbolSection, elf,
    read::elf::{Dyn, ElfFile64, ProgramHeader},
};

/// The entries of the dynamic section whose values are addresses in the library.
const ADDRESSES: [u32; 13] = [
    elf::DT_PLTGOT,
    elf::DT_HASH,
    elf::DT_STRTAB,
    elf::DT_SYMTAB,
    elf::DT_RELA,
    elf::DT_INIT,
    elf::DT_FINI,
    elf::DT_JMPREL,
    elf::DT_INIT_ARRAY,
    elf::DT_FINI_ARRAY,
    elf::DT_GNU_HASH,
    elf::DT_VERSYM,
    elf::DT_VERNEED,
];

/// The type of relocation that does nothing, on both architectures.
const R_NONE: u32 = 0;

/// Refuses tables with addresses outside of the library. The error names the table.
pub(super) fn check<'d, R: ReadRef<'d>>(
    file: &ElfFile64<'d, object::Endianness, R>,
) -> Result<(), String> {
    let damaged = |error: object::Error| error.to_string();
    let (endian, data) = (file.endian(), file.data());
    let ends = file.segments().map(|it| it.address().saturating_add(it.size()));
    let end = ends.max().unwrap_or_default();
    let is_inside =
        |address: u64, size: u64| address.checked_add(size).is_some_and(|behind| behind <= end);

    for header in file.elf_program_headers() {
        for entry in header.dynamic(endian, data).map_err(damaged)?.unwrap_or_default() {
            let (tag, value) = (entry.d_tag(endian), entry.d_val(endian));
            if tag == u64::from(elf::DT_NULL) {
                break;
            }
            if ADDRESSES.iter().any(|known| tag == u64::from(*known)) && !is_inside(value, 0) {
                return Err(format!("its dynamic entry {tag:#x} leads out of it"));
            }
        }
    }

    let versions = file.elf_section_table().versions(endian, data).map_err(damaged)?;
    for symbol in file.dynamic_symbols() {
        symbol.name().map_err(damaged)?;
        if let Some(versions) = &versions {
            let version = versions.version_index(endian, symbol.index());
            versions.version(version).map_err(damaged)?;
        }
        // The value of a thread-local symbol is an offset, and an absolute symbol has no address.
        let has_address = symbol.is_definition()
            && symbol.kind() != SymbolKind::Tls
            && matches!(symbol.section(), SymbolSection::Section(_));
        if has_address && !is_inside(symbol.address(), symbol.size()) {
            return Err("one of its symbols leads out of it".to_owned());
        }
    }

    let symbols = file.dynamic_symbol_table();
    let is_known = |index| symbols.as_ref().is_some_and(|it| it.symbol_by_index(index).is_ok());
    for (address, relocation) in file.dynamic_relocations().into_iter().flatten() {
        if matches!(relocation.flags(), RelocationFlags::Elf { r_type: R_NONE }) {
            continue;
        }
        if !is_inside(address, 8) {
            return Err("one of its relocations leads out of it".to_owned());
        }
        if let RelocationTarget::Symbol(index) = relocation.target()
            && !is_known(index)
        {
            return Err("one of its relocations is for a symbol that is not there".to_owned());
        }
    }
    Ok(())
}
