//! What in a library's file keeps the dynamic linker from ever unmapping it.
//!
//! * **The flag `DF_1_NODELETE`**, which `-z nodelete` sets. A compiler may set it for every
//!   library. Hotbay does not rely on the linker's word that nothing of a library is in use, so the
//!   flag is cleared in the private copy.
//! * **Symbols with the binding `STB_GNU_UNIQUE`**, which g++ gives to inline variables and to
//!   static variables of inline functions. The dynamic linker makes all libraries of the process
//!   use the first definition, even those that were opened with `RTLD_LOCAL`, and never unmaps its
//!   library. In the private copy such a symbol gets the binding `STB_WEAK`, which is what the
//!   option `-fno-gnu-unique` of g++ makes of it. Then each plugin has its own variable, and a
//!   plugin and the libraries that it brings along still share one, as with every other symbol.
//!
//!   There is one case in which this would be wrong: a library that the plugin brings along and
//!   that names the symbol as well. Such a library stays mapped while the build is replaced, and
//!   would use the variable of the old build while the new build uses its own: for the empty
//!   string of libstdc++, for example, one of the two would free a constant of the other. So the
//!   probe looks for such a library, and the symbols are left as they are if there is one.
//!
//! The flag `DF_STATIC_TLS` does not keep a library mapped, but it has a limit of its own, see
//! [`Unloading::static_tls`].

use std::{fmt, fs::File};

use object::{ReadCache, ReadRef, elf};
use serde::{Deserialize, Serialize};

use super::image::{Image, Symbol, value_of};

/// The size of the names of unique symbols that are examined, as JSON in the request to the probe.
/// A request must fit into the buffer of a pipe.
const MAX_NAMES: usize = 48 << 10;

const NODELETE: u64 = elf::DF_1_NODELETE as u64;

/// What the file of a library says about unloading it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Unloading {
    /// Whether the library is linked with `-z nodelete`, so that the dynamic linker would never
    /// unmap it. The flag is cleared in the private copy that is loaded.
    pub nodelete: bool,
    /// The symbols with the binding `STB_GNU_UNIQUE` that the library defines, because of which
    /// the dynamic linker would never unmap it. The binding is changed in the private copy.
    pub unique_symbols: Vec<String>,
    /// Why the binding is not changed, if it is not. The library then stays mapped once it was
    /// loaded.
    pub unique_kept: Option<UniqueKept>,
    /// Whether the library has thread-locals at a fixed distance from the thread pointer
    /// (`DF_STATIC_TLS`). The C library has little room for them, and gets it back only if
    /// libraries are unmapped in the reverse order of their loading, which a replacement is not.
    pub static_tls: bool,
}

/// Why the unique symbols of a library are left as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UniqueKept {
    /// A library that the plugin brings along names one of the symbols as well.
    SharedWith {
        /// The name of the symbol.
        symbol: String,
        /// The file name of the other library.
        library: String,
    },
    /// A library that the plugin brings along cannot be read.
    Unreadable {
        /// The file name of the other library.
        library: String,
    },
    /// There are more symbols, or longer names, than a host examines.
    TooMany,
}

impl Unloading {
    /// Returns `true` if the library can be unmapped after it was loaded, as far as its file tells.
    pub fn is_possible(&self) -> bool {
        self.unique_kept.is_none()
    }

    /// Returns sentences for people about what is unusual.
    pub fn notes(&self) -> Vec<String> {
        let flag = "its flag DF_1_NODELETE (`-z nodelete`) is cleared in the copy that is loaded";
        let mut notes: Vec<_> = self.nodelete.then(|| flag.to_owned()).into_iter().collect();
        notes.extend(self.unique_note());
        if self.static_tls {
            notes.push(
                "its thread-locals are static (DF_STATIC_TLS): each replacement takes room that a \
                 process has little of; build it with `-ftls-model=global-dynamic`"
                    .to_owned(),
            );
        }
        notes
    }

    fn unique_note(&self) -> Option<String> {
        let first = self.unique_symbols.first().map(|name| name.escape_debug());
        match (&self.unique_kept, first) {
            (Some(why), _) => Some(format!("it stays mapped once it is loaded: {why}")),
            (None, Some(first)) => Some(format!(
                "its unique symbols (STB_GNU_UNIQUE) are weak ones in the copy that is loaded: \
                 {} of them, the first is `{first}`",
                self.unique_symbols.len(),
            )),
            (None, None) => None,
        }
    }
}

impl fmt::Display for UniqueKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remedy = "build its C++ code with `-fno-gnu-unique`";
        match self {
            Self::SharedWith { symbol, library } => write!(
                f,
                "it shares its unique symbol `{}` (STB_GNU_UNIQUE) with {}; {remedy}",
                symbol.escape_debug(),
                library.escape_debug(),
            ),
            Self::Unreadable { library } => write!(
                f,
                "it has unique symbols (STB_GNU_UNIQUE), and {}, which may share them, can't be \
                 read; {remedy}",
                library.escape_debug(),
            ),
            Self::TooMany => {
                write!(f, "it has too many unique symbols (STB_GNU_UNIQUE) to change; {remedy}")
            }
        }
    }
}

/// A byte of a file that is replaced in the private copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) offset: u64,
    pub(crate) from: u8,
    pub(crate) to: u8,
}

impl Patch {
    /// Returns the patch that undoes this one.
    pub(crate) fn reversed(self) -> Self {
        Self { from: self.to, to: self.from, ..self }
    }
}

/// What a file says about unloading, and the patches of the private copy that follow from it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) unloading: Unloading,
    pub(crate) flag: Vec<Patch>,
    pub(crate) unique: Vec<Patch>,
}

/// Reads what a library's file says about unloading it. A file that cannot be read says nothing.
pub(crate) fn read(file: File) -> Found {
    find(&ReadCache::new(file)).unwrap_or_default()
}

fn find<'d>(bytes: impl ReadRef<'d>) -> Option<Found> {
    let image = Image::of(bytes)?;
    let mut found = Found::default();
    for entry in image.dynamic() {
        if entry.tag == u64::from(elf::DT_FLAGS_1) && entry.value & NODELETE != 0 {
            found.unloading.nodelete = true;
            // The flag is in the first byte of the number, which is little-endian.
            let [from, ..] = entry.value.to_le_bytes();
            let [to, ..] = (entry.value & !NODELETE).to_le_bytes();
            found.flag.push(Patch { offset: entry.offset, from, to });
        }
    }
    let flags = value_of(image.dynamic(), elf::DT_FLAGS).unwrap_or_default();
    found.unloading.static_tls = flags & u64::from(elf::DF_STATIC_TLS) != 0;
    let mut size = 0;
    for symbol in image.symbols().filter(Symbol::is_unique) {
        let name = image.name(&symbol).unwrap_or_default();
        size += serde_json::to_string(&name).map_or(MAX_NAMES, |json| json.len() + 1);
        if name.is_empty() || size > MAX_NAMES {
            found.unloading.unique_kept = Some(UniqueKept::TooMany);
            found.unique.clear();
            break;
        }
        found.unloading.unique_symbols.push(name);
        found.unique.push(symbol.with_binding(elf::STB_WEAK));
    }
    Some(found)
}

#[cfg(test)]
mod tests;
