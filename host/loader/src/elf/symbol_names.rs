//! The names of a library's symbols.

use std::{collections::BTreeSet, fs::File, path::Path};

use object::ReadCache;

use super::image::Image;

/// The number of bytes that all names of a library may have. libstdc++ has 0.3 MB.
const MAX_BYTES: usize = 16 << 20;

/// The names by which the dynamic linker connects a library with others.
#[derive(Debug, Default)]
pub(crate) struct SymbolNames {
    pub(crate) defined: BTreeSet<String>,
    pub(crate) undefined: BTreeSet<String>,
}

impl SymbolNames {
    /// Reads the names. Returns `None` if the file is not a library, cannot be read, or has too many
    /// names.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let cache = ReadCache::new(File::open(path).ok()?);
        let image = Image::of(&cache)?;
        let (mut names, mut bytes) = (Self::default(), 0);
        // The first entry of every symbol table stands for no symbol.
        for symbol in image.symbols().skip(1) {
            let name = image.name(&symbol)?;
            bytes += name.len();
            if bytes > MAX_BYTES {
                return None;
            }
            let set = if symbol.is_defined() { &mut names.defined } else { &mut names.undefined };
            set.insert(name);
        }
        Some(names)
    }

    /// Returns `true` if the library defines or uses a symbol of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.defined.contains(name) || self.undefined.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_uses_names_of_the_c_library() {
        let names = SymbolNames::of(&std::env::current_exe().unwrap()).unwrap();
        assert!(names.undefined.contains("malloc") && names.has("malloc"), "{names:?}");
        assert!(!names.has("hotbay_has_no_such_function"));
        assert!(SymbolNames::of(Path::new("/dev/null")).is_none());
    }
}
