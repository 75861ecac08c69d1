//! The trust policy, which the section `plugins.trust` sets.

mod mode;
mod values;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::diagnostic::Diagnostics;
use super::document::Value;
use super::folders::resolved;
use super::source::{self, Report};
use super::values::PathText;
use super::{Environment, de};
use values::{Pins, WrittenKey};

pub use mode::TrustMode;
pub use values::{Pin, key_line};

/// The settings of the section `plugins.trust`. The files that it names are not read here.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustSettings {
    /// What happens to a file with neither a pin nor a valid signature.
    pub mode: TrustMode,
    /// The mode of the file, if the command line replaced it for this run.
    pub overridden: Option<TrustMode>,
    /// The pins in the configuration itself.
    pub pins: Vec<Pin>,
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
        let mut usual = Self::default();
        usual.resolve(file);
        usual
    }

    /// Reads only this section of a configuration file. Errors elsewhere in the file, such as a
    /// variable that is not set, are ignored.
    ///
    /// # Errors
    /// All errors of the section, in the order of its lines. If a value of the section could not be
    /// built, such as one with a variable that is not set, also the errors of this kind elsewhere.
    pub fn load(file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let text = source::read(file, source::Source::Configuration)?;
        let mut elsewhere = Report::new(file);
        let Some(document) = crate::build::parse(&text, environment, &mut elsewhere) else {
            return Err(elsewhere.found);
        };
        let plugins = document.root.get("plugins");
        if plugins.is_some_and(|plugins| plugins.value == Value::Broken) {
            return Err(elsewhere.found);
        }
        let Some(node) = plugins.and_then(|plugins| plugins.get("trust")) else {
            return Ok(Self::usual(file));
        };
        // A value with an error would be read as if it had been left out.
        if node.is_broken() {
            return Err(elsewhere.found);
        }
        let mut here = Report::new(file);
        here.secrets = document.secrets.clone();
        match de::read::<Self>(node, &mut here) {
            Some(mut trust) if !here.found.has_errors() => {
                trust.resolve(file);
                Ok(trust)
            }
            _ => Err(here.found),
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

    /// Resolves the paths against the configuration file.
    pub(super) fn resolve(&mut self, file: &Path) {
        self.paths_mut().for_each(|path| *path = resolved(file, path));
        self.said_in = file.to_owned();
    }

    /// Replaces the mode of the configuration for this run.
    pub fn override_mode(&mut self, mode: TrustMode) {
        if mode != self.mode {
            self.overridden = Some(std::mem::replace(&mut self.mode, mode));
        }
    }
}

impl Default for TrustSettings {
    /// Returns the policy of a section that is not there, with the paths as they are written.
    fn default() -> Self {
        Self {
            mode: TrustMode::default(),
            overridden: None,
            pins: Vec::new(),
            pins_file: Self::PINS_FILE.into(),
            pins_file_is_named: false,
            keys: Vec::new(),
            said_in: PathBuf::new(),
        }
    }
}

/// Whose plugins are loaded. A mode alone stands for a mapping with this mode.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TrustMapping")]
struct Written {
    /// What happens to a file with neither a pin nor a valid signature.
    mode: TrustMode,
    /// The SHA-256 of files that are trusted, on top of those in the file of pins.
    #[serde(default)]
    pins: Pins,
    /// The file with further pins, in the format of `sha256sum`. Without it, that is `hotbay.pins`
    /// beside the configuration, if that exists.
    #[serde(default, deserialize_with = "PathText::option")]
    #[schemars(with = "Option<PathText>")]
    pins_file: Option<PathBuf>,
    /// The minisign public keys whose signatures are trusted, or paths of files with one.
    #[serde(default)]
    keys: Vec<WrittenKey>,
}

impl From<Written> for TrustSettings {
    fn from(Written { mode, pins, pins_file, keys }: Written) -> Self {
        let key = |written| match written {
            WrittenKey::Here(key) => KeyEntry::Here(key),
            WrittenKey::File(path) => KeyEntry::File(path.into()),
        };
        let usual = Self::default();
        Self {
            mode,
            pins: pins.0,
            pins_file_is_named: pins_file.is_some(),
            pins_file: pins_file.unwrap_or(usual.pins_file),
            keys: keys.into_iter().map(key).collect(),
            ..Self::default()
        }
    }
}

impl JsonSchema for TrustSettings {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Trust".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mode = generator.subschema_for::<TrustMode>();
        let whole = generator.subschema_for::<Written>();
        json_schema!({ "anyOf": [mode, whole], "default": TrustMode::default(), "x-value": "a mode, or a mapping" })
    }
}

impl<'de> Deserialize<'de> for TrustSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TrustVisitor)
    }
}

struct TrustVisitor;

impl<'de> Visitor<'de> for TrustVisitor {
    type Value = TrustSettings;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("`off`, `warn`, `enforce`, or a mapping with a `mode`")
    }

    fn visit_unit<E>(self) -> Result<TrustSettings, E> {
        Ok(TrustSettings::default())
    }

    fn visit_str<E: Error>(self, mode: &str) -> Result<TrustSettings, E> {
        let mode = TrustMode::deserialize(mode.into_deserializer())?;
        Ok(TrustSettings { mode, ..TrustSettings::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TrustSettings, A::Error> {
        Written::deserialize(MapAccessDeserializer::new(map)).map(TrustSettings::from)
    }
}
