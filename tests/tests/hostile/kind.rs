//! One way to be hostile.

use std::{path::PathBuf, sync::OnceLock};

use hotbay_tests::PluginsFolder;

use crate::{
    elf::{Elf, find},
    good::MISDEEDS,
};

/// What stands before the name of a misdeed in the fixture's file.
const MARKER: &[u8] = b"HOTBAY-MISDEED:";

/// One way to be hostile.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The reasons that may be given: more than one where the linker's mood decides.
    pub(crate) codes: &'static [&'static str],
    pub(crate) make: Make,
}

/// How its file comes about; `None` if that takes rights that this test has not.
#[derive(Clone, Copy)]
pub(crate) enum Make {
    /// In a folder of its own.
    Path(fn(&PluginsFolder) -> Option<PathBuf>),
    /// These bytes.
    Bytes(fn() -> Vec<u8>),
    /// A good plugin's bytes, changed.
    Change(fn(&mut Elf)),
    /// A library that does what it is named after.
    Misdeed,
}

pub(crate) const fn path(
    name: &'static str,
    codes: &'static [&'static str],
    make: fn(&PluginsFolder) -> Option<PathBuf>,
) -> Kind {
    Kind { name, codes, make: Make::Path(make) }
}

pub(crate) const fn bytes(
    name: &'static str,
    codes: &'static [&'static str],
    make: fn() -> Vec<u8>,
) -> Kind {
    Kind { name, codes, make: Make::Bytes(make) }
}

pub(crate) const fn change(
    name: &'static str,
    codes: &'static [&'static str],
    make: fn(&mut Elf),
) -> Kind {
    Kind { name, codes, make: Make::Change(make) }
}

pub(crate) const fn misdeed(name: &'static str, codes: &'static [&'static str]) -> Kind {
    Kind { name, codes, make: Make::Misdeed }
}

impl Kind {
    /// Makes the file in this folder.
    pub(crate) fn file(&self, folder: &PluginsFolder) -> Option<PathBuf> {
        match self.make {
            Make::Path(make) => make(folder),
            Make::Bytes(_) | Make::Change(_) | Make::Misdeed => {
                self.bytes().map(|bytes| folder.write("hostile.so", &bytes))
            }
        }
    }

    /// What stands in its file, if that is what makes it hostile.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match self.make {
            Make::Path(_) => None,
            Make::Bytes(make) => Some(make()),
            Make::Change(change) => {
                let mut elf = Elf::new(good());
                change(&mut elf);
                Some(elf.into_bytes())
            }
            Make::Misdeed => Some(doing(self.name)),
        }
    }
}

/// The bytes of a library that does what it is named after.
fn doing(misdeed: &str) -> Vec<u8> {
    static AT: OnceLock<usize> = OnceLock::new();
    let mut bytes = good();
    let at = *AT.get_or_init(|| {
        let found = find(&bytes, MARKER);
        assert_eq!(found.len(), 1, "the marker stands there once");
        found[0] + MARKER.len()
    });
    let text = format!("{misdeed:.<32}");
    bytes[at..][..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

/// The bytes of a good plugin.
pub(crate) fn good() -> Vec<u8> {
    MISDEEDS.clone()
}
