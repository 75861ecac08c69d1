//! Whom the host trusts: `plugins.trust`.

mod mode;
mod values;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};

use super::diagnostic::Diagnostics;
use super::document::Document;
use super::read::base_dir;
use super::source::{self, Report};
use super::{Environment, de};
use values::{Pins, WrittenKey};

pub use mode::TrustMode;
pub use values::PinEntry;

/// What `plugins.trust` says. The files that it names are not read here.
#[derive(Debug, Clone, PartialEq)]
pub struct Trust {
    /// What is done about a file that nobody vouches for.
    pub mode: TrustMode,
    /// The mode that the file says, where another one is in force for this run.
    pub overridden: Option<TrustMode>,
    /// The pins that stand in the configuration itself.
    pub pins: Vec<PinEntry>,
    /// The file of further pins, resolved against the configuration's folder.
    pub pins_file: PathBuf,
    /// Whether the configuration names it, so that it has to be there.
    pub pins_file_is_named: bool,
    /// The keys whose signatures count, in the order of the file.
    pub keys: Vec<KeyEntry>,
    /// The configuration's own file, which says all this.
    pub said_in: PathBuf,
}

/// A key, or where it is.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyEntry {
    /// The text of a minisign public key, which stands in the configuration itself.
    Here(String),
    /// It is in this file, resolved against the configuration's folder.
    File(PathBuf),
}

impl Trust {
    /// The file of pins where the configuration doesn't name one: beside it.
    const PINS_FILE: &str = "hotbay.pins";

    /// What a configuration of this name says if it says nothing.
    pub fn usual(file: &Path) -> Self {
        Written::default().into_trust(file)
    }

    /// Reads this part of a configuration alone: what is wrong with others, such as a
    /// variable that is not set, is no matter here.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let text = source::read(file)?;
        let mut elsewhere = Report::new(file);
        let Some(document) = Document::parse(&text, environment, &mut elsewhere) else {
            return Err(elsewhere.found);
        };
        let plugins = document.root.entry("plugins");
        let Some(node) = plugins.and_then(|plugins| plugins.entry("trust")) else {
            return Ok(Self::usual(file));
        };
        let mut here = Report::new(file);
        match de::read::<Written>(node, &mut here) {
            Some(written) if !here.found.has_errors() => Ok(written.into_trust(file)),
            _ if here.found.has_errors() => Err(here.found),
            // It could not even be made into a value.
            _ => Err(elsewhere.found),
        }
    }

    /// The files that it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let keys = self.keys.iter().filter_map(|key| match key {
            KeyEntry::Here(_) => None,
            KeyEntry::File(path) => Some(path.as_path()),
        });
        keys.chain([self.pins_file.as_path()])
    }

    /// The same, and the configuration itself, to be written otherwise.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let keys = self.keys.iter_mut().filter_map(|key| match key {
            KeyEntry::Here(_) => None,
            KeyEntry::File(path) => Some(path),
        });
        keys.chain([&mut self.pins_file, &mut self.said_in])
    }

    /// Puts another mode in force than the configuration says.
    pub fn override_mode(&mut self, mode: TrustMode) {
        if mode != self.mode {
            self.overridden = Some(std::mem::replace(&mut self.mode, mode));
        }
    }
}

/// What is written there: a mode, or a mapping.
#[derive(Debug, Default)]
pub(super) struct Written {
    mode: TrustMode,
    pins: Pins,
    pins_file: Option<String>,
    keys: Vec<WrittenKey>,
}

impl Written {
    /// What it comes to in this file.
    pub(super) fn into_trust(self, file: &Path) -> Trust {
        let folder = base_dir(file);
        let key = |written| match written {
            WrittenKey::Here(key) => KeyEntry::Here(key),
            WrittenKey::File(path) => KeyEntry::File(folder.join(path)),
        };
        Trust {
            mode: self.mode,
            overridden: None,
            pins: self.pins.0,
            pins_file_is_named: self.pins_file.is_some(),
            pins_file: folder.join(self.pins_file.as_deref().unwrap_or(Trust::PINS_FILE)),
            keys: self.keys.into_iter().map(key).collect(),
            said_in: file.to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("`off`, `warn`, `enforce`, or a mapping with a `mode`")
    }

    fn visit_unit<E>(self) -> Result<Written, E> {
        Ok(Written::default())
    }

    fn visit_str<E: Error>(self, mode: &str) -> Result<Written, E> {
        let mode = TrustMode::deserialize(mode.into_deserializer())?;
        Ok(Written { mode, ..Written::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole {
            mode: TrustMode,
            #[serde(default)]
            pins: Pins,
            pins_file: Option<String>,
            #[serde(default)]
            keys: Vec<WrittenKey>,
        }
        let Whole { mode, pins, pins_file, keys } =
            Whole::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Written { mode, pins, pins_file, keys })
    }
}
