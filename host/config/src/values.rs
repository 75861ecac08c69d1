//! Types for values with their own rules. Each of them reads a value, and describes in the schema
//! what it reads.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IntoDeserializer, MapAccess, Unexpected, Visitor};

use super::limits::MAX_NAME;

/// Implements the schema of a type that has no name of its own in the schema.
macro_rules! inline_schema {
    ($type:ty, [$($generics:tt)*], $schema:expr) => {
        impl<$($generics)*> JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let schema: fn(&mut SchemaGenerator) -> Schema = $schema;
                schema(generator)
            }
        }
    };
}

/// A name: a text that is not blank.
#[derive(Debug)]
pub(crate) struct Name(pub(crate) String);

impl Name {
    /// Reads a name, for `#[serde(deserialize_with)]`.
    pub(crate) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        Self::deserialize(from).map(|name| name.0)
    }

    /// Reads a name that may be left out.
    pub(crate) fn option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
        Option::<Self>::deserialize(from).map(|name| name.map(|name| name.0))
    }

    /// Returns what is expected instead of a text that is no name.
    pub(crate) fn refused(text: &str) -> Option<String> {
        match text.chars().count() {
            _ if text.trim().is_empty() => Some("text".to_owned()),
            ..=MAX_NAME => None,
            _ => Some(format!("a name of at most {MAX_NAME} characters")),
        }
    }

    /// Reads a list of names that may be left out.
    pub(crate) fn list<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<String>>, D::Error> {
        let names = Option::<Vec<Self>>::deserialize(from)?;
        Ok(names.map(|names| names.into_iter().map(|name| name.0).collect()))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match Self::refused(&text) {
            None => Ok(Self(text)),
            Some(expected) => {
                Err(D::Error::invalid_value(Unexpected::Str(&text), &expected.as_str()))
            }
        }
    }
}

inline_schema!(Name, [], |_| json_schema!({
    "type": "string", "minLength": 1, "maxLength": MAX_NAME
}));

/// The path of a file or folder: a text that is not blank.
#[derive(Debug)]
pub(crate) struct PathText(String);

impl PathText {
    pub(crate) fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// Reads a path, for `#[serde(deserialize_with)]`.
    pub(crate) fn path<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        Self::deserialize(from).map(|text| text.0.into())
    }

    /// Reads a path that may be left out.
    pub(crate) fn option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
        Option::<Self>::deserialize(from).map(|text| text.map(|text| text.0.into()))
    }
}

impl<'de> Deserialize<'de> for PathText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() {
            return Err(D::Error::invalid_value(Unexpected::Str(&text), &"text"));
        }
        Ok(Self(text))
    }
}

inline_schema!(PathText, [], |_| json_schema!({ "type": "string", "minLength": 1 }));

/// A millisecond, the unit of the limits of durations.
pub(crate) const MILLISECOND: u64 = 1;
pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const DAY: u64 = 24 * HOUR;
/// Ten years of 365.25 days.
pub(crate) const TEN_YEARS: u64 = 315_576_000_000;

/// A duration such as `5s`, `250ms` or `1h 30m`, between two limits in milliseconds.
#[derive(Debug)]
pub(crate) struct Span<const MIN: u64, const MAX: u64>(Duration);

impl<const MIN: u64, const MAX: u64> Span<MIN, MAX> {
    /// Reads the duration, for `#[serde(deserialize_with)]`.
    pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Self::deserialize(from).map(|span| span.0)
    }

    /// Reads a duration that may be left out.
    pub(crate) fn option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Option::<Self>::deserialize(from).map(|span| span.map(|span| span.0))
    }

    pub(crate) fn range() -> String {
        let shown = |millis| humantime::format_duration(Duration::from_millis(millis)).to_string();
        format!("from {} to {}", shown(MIN), shown(MAX))
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Span<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SpanVisitor::<MIN, MAX>)
    }
}

inline_schema!(Span<MIN, MAX>, [const MIN: u64, const MAX: u64], |_| json_schema!({
    "type": "string",
    "x-range": Self::range(),
    "examples": ["5s", "250ms", "1h 30m"],
}));

impl<const MIN: u64, const MAX: u64> From<Span<MIN, MAX>> for Duration {
    fn from(span: Span<MIN, MAX>) -> Self {
        span.0
    }
}

struct SpanVisitor<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> Visitor<'_> for SpanVisitor<MIN, MAX> {
    type Value = Span<MIN, MAX>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a duration such as `5s` or `250ms`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Span<MIN, MAX>, E> {
        let limits = Duration::from_millis(MIN)..=Duration::from_millis(MAX);
        match humantime::parse_duration(text) {
            Ok(span) if limits.contains(&span) => Ok(Span(span)),
            // A number that fits into no duration is out of every range.
            Ok(_) | Err(humantime::DurationError::NumberOverflow) => {
                let expected = format!("a duration {}", Span::<MIN, MAX>::range());
                Err(E::invalid_value(Unexpected::Str(text), &expected.as_str()))
            }
            Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// A whole number between two limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count<const MIN: usize, const MAX: usize>(usize);

impl<const MIN: usize, const MAX: usize> Count<MIN, MAX> {
    /// Reads the number, for `#[serde(deserialize_with)]`.
    pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
        Self::deserialize(from).map(|count| count.0)
    }

    /// Reads a number that may be left out, and is never zero.
    pub(crate) fn option<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<NonZeroUsize>, D::Error> {
        let count = Option::<Self>::deserialize(from)?;
        Ok(count.and_then(|count| NonZeroUsize::new(count.0)))
    }

    /// Reads a number that may be left out.
    pub(crate) fn some<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
        Option::<Self>::deserialize(from).map(|count| count.map(|count| count.0))
    }
}

impl<const MIN: usize, const MAX: usize> From<Count<MIN, MAX>> for usize {
    fn from(count: Count<MIN, MAX>) -> Self {
        count.0
    }
}

impl<'de, const MIN: usize, const MAX: usize> Deserialize<'de> for Count<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(CountVisitor::<MIN, MAX>)
    }
}

inline_schema!(Count<MIN, MAX>, [const MIN: usize, const MAX: usize], |_| json_schema!({
    "type": "integer", "minimum": MIN, "maximum": MAX
}));

struct CountVisitor<const MIN: usize, const MAX: usize>;

impl<const MIN: usize, const MAX: usize> Visitor<'_> for CountVisitor<MIN, MAX> {
    type Value = Count<MIN, MAX>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a whole number from {MIN} to {MAX}")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        let count = usize::try_from(number).ok().filter(|count| (MIN..=MAX).contains(count));
        count.map(Count).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

/// A mapping whose keys only a plugin knows. An empty value is an empty mapping.
#[derive(Debug, Default)]
pub(crate) struct Settings(serde_json::Map<String, serde_json::Value>);

impl Settings {
    /// Reads the settings, for `#[serde(deserialize_with)]`.
    pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<serde_json::Value, D::Error> {
        Self::deserialize(from).map(|settings| serde_json::Value::Object(settings.0))
    }

    /// Returns settings without a key.
    pub(crate) fn none() -> serde_json::Value {
        serde_json::Value::Object(serde_json::Map::new())
    }
}

impl From<Settings> for serde_json::Value {
    fn from(settings: Settings) -> Self {
        Self::Object(settings.0)
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SettingsVisitor)
    }
}

inline_schema!(Settings, [], |_| json_schema!({ "type": ["object", "null"] }));

struct SettingsVisitor;

impl<'de> Visitor<'de> for SettingsVisitor {
    type Value = Settings;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a mapping of settings")
    }

    fn visit_unit<E>(self) -> Result<Settings, E> {
        Ok(Settings::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Settings, A::Error> {
        Deserialize::deserialize(MapAccessDeserializer::new(map)).map(Settings)
    }
}

/// A limit that a file sets or takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound<T> {
    /// There is no limit, whatever another file or a manifest says.
    None,
    /// There is a limit, which is this value.
    At(T),
}

impl<T> Bound<T> {
    /// Returns the limit, if there is one.
    pub fn limit(self) -> Option<T> {
        match self {
            Self::None => None,
            Self::At(limit) => Some(limit),
        }
    }
}

/// A value, or the word `none`.
#[derive(Debug)]
pub(crate) struct OrNone<T>(Bound<T>);

impl<'de, T: Deserialize<'de>> OrNone<T> {
    /// Reads a limit that may be left out.
    pub(crate) fn bound<D: Deserializer<'de>, V: From<T>>(
        from: D,
    ) -> Result<Option<Bound<V>>, D::Error> {
        let read = Option::<Self>::deserialize(from)?;
        Ok(read.map(|Self(bound)| match bound {
            Bound::None => Bound::None,
            Bound::At(limit) => Bound::At(limit.into()),
        }))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrNone<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OrNoneVisitor(PhantomData))
    }
}

inline_schema!(OrNone<T>, [T: JsonSchema], |generator: &mut SchemaGenerator| json_schema!({
    "anyOf": [generator.subschema_for::<T>(), { "const": "none" }]
}));

struct OrNoneVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OrNoneVisitor<T> {
    type Value = OrNone<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a limit, or `none`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "none" => Ok(OrNone(Bound::None)),
            text => T::deserialize(text.into_deserializer()).map(|it| OrNone(Bound::At(it))),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        T::deserialize(number.into_deserializer()).map(|it| OrNone(Bound::At(it)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        T::deserialize(number.into_deserializer()).map(|it| OrNone(Bound::At(it)))
    }
}
