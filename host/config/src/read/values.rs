//! Types for values with their own rules.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Unexpected, Visitor};

/// A text that is not blank.
#[derive(Debug)]
pub(super) struct Name(pub(super) String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() {
            return Err(D::Error::invalid_value(Unexpected::Str(&text), &"text"));
        }
        Ok(Self(text))
    }
}

/// A duration such as `5s`, `250ms` or `1h 30m`.
#[derive(Debug)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SpanVisitor).map(Self)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Duration;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a duration such as `5s` or `250ms`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        let refused = |_| E::invalid_value(Unexpected::Str(text), &self);
        humantime::parse_duration(text).map_err(refused)
    }
}

/// A duration that is not zero.
#[derive(Debug)]
pub(crate) struct LongerThanZero(pub(crate) Duration);

impl<'de> Deserialize<'de> for LongerThanZero {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Span::deserialize(deserializer)?.0 {
            Duration::ZERO => Err(D::Error::custom("the duration has to be longer than nothing")),
            span => Ok(Self(span)),
        }
    }
}

/// A mapping whose keys only a plugin knows. An empty value is an empty mapping.
#[derive(Debug, Default)]
pub(crate) struct Settings(serde_json::Map<String, serde_json::Value>);

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
