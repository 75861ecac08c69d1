//! The trust policy, which the section `plugins.trust` sets.

mod mode;
mod values;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};

use super::diagnostic::Diagnostics;
use super::folders::base_dir;
use super::source::{self, Report};
use super::{Environment, de};
use values::{Pins, WrittenKey};

pub use mode::TrustMode;
pub use values::{PinEntry, key_line};

/// The settings of the section `plugins.trust`. The files that it names are not read here.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustSettings {
    /// What happens to a file with neither a pin nor a valid signature.
    pub mode: TrustMode,
    /// The mode of the file, if the command line replaced it for this run.
    pub overridden: Option<TrustMode>,
    /// The pins in the configuration itself.
    pub pins: Vec<PinEntry>,
    /// The file with further pins. A relative path is resolved against the configuration's folder.
    pub pins_file: PathBuf,
    /// Whether the configuration names the pin file, which must then exist.
    pub pins_file_is_named: bool,
    /// The keys whose signatures are trusted, in the order of the file.
    pub keys: Vec<KeyEntry>,
    /// The configuration file that contains the section.
    pub said_in: PathBuf,
}

/// A key, or the file that contains it.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyEntry {
    /// The text of a minisign public key in the configuration itself.
    Here(String),
    /// The path of a file with the key. A relative path is resolved against the configuration's
    /// folder.
    File(PathBuf),
}

impl TrustSettings {
    /// The name of the pin file if the configuration does not name one. It is in the same folder.
    const PINS_FILE: &str = "hotbay.pins";

    /// Returns the policy of a configuration file without the section.
    pub fn usual(file: &Path) -> Self {
        Written::default().into_trust(file)
    }

    /// Reads only this section of a configuration file. Errors elsewhere in the file, such as a
    /// variable that is not set, are ignored.
    ///
    /// # Errors
    /// All errors of the section, in the order of its lines.
    pub fn load(file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let text = source::read(file)?;
        let mut elsewhere = Report::new(file);
        let Some(document) = crate::build::parse(&text, environment, &mut elsewhere) else {
            return Err(elsewhere.found);
        };
        let plugins = document.root.get("plugins");
        let Some(node) = plugins.and_then(|plugins| plugins.get("trust")) else {
            return Ok(Self::usual(file));
        };
        let mut here = Report::new(file);
        match de::read::<Written>(node, &mut here) {
            Some(written) if !here.found.has_errors() => Ok(written.into_trust(file)),
            _ if here.found.has_errors() => Err(here.found),
            // Building the tree reported the error already.
            _ => Err(elsewhere.found),
        }
    }

    /// Returns the files that the section names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let keys = self.keys.iter().filter_map(|key| match key {
            KeyEntry::Here(_) => None,
            KeyEntry::File(path) => Some(path.as_path()),
        });
        keys.chain([self.pins_file.as_path()])
    }

    /// Returns these files and the configuration file, so that the caller can change the paths.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let keys = self.keys.iter_mut().filter_map(|key| match key {
            KeyEntry::Here(_) => None,
            KeyEntry::File(path) => Some(path),
        });
        keys.chain([&mut self.pins_file, &mut self.said_in])
    }

    /// Replaces the mode of the configuration for this run.
    pub fn override_mode(&mut self, mode: TrustMode) {
        if mode != self.mode {
            self.overridden = Some(std::mem::replace(&mut self.mode, mode));
        }
    }
}

/// The section as it is written: a mode, or a mapping.
#[derive(Debug, Default)]
pub(super) struct Written {
    mode: TrustMode,
    pins: Pins,
    pins_file: Option<String>,
    keys: Vec<WrittenKey>,
}

impl Written {
    /// Resolves the paths against the configuration file.
    pub(super) fn into_trust(self, file: &Path) -> TrustSettings {
        let folder = base_dir(file);
        let key = |written| match written {
            WrittenKey::Here(key) => KeyEntry::Here(key),
            WrittenKey::File(path) => KeyEntry::File(folder.join(path)),
        };
        TrustSettings {
            mode: self.mode,
            overridden: None,
            pins: self.pins.0,
            pins_file_is_named: self.pins_file.is_some(),
            pins_file: folder.join(self.pins_file.as_deref().unwrap_or(TrustSettings::PINS_FILE)),
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
