//! Policies of tasks that are written as a word, a number or a mapping.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use hotbay_plugin_api::{Backoff, Misfire, Priority};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, MapAccess, Unexpected, Visitor};

use super::Interval;
use crate::values::{Bound, Count, OrNone};

/// The longest delay of an exponential backoff for which the file names none.
const USUAL_CAP: Duration = Duration::from_secs(3600);

/// The most missed runs of a task that take place.
const MOST_MADE_UP: usize = 1_000;

/// The priority of a task: a word or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriorityEntry(pub Priority);

impl<'de> Deserialize<'de> for PriorityEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PriorityVisitor)
    }
}

impl JsonSchema for PriorityEntry {
    fn schema_name() -> Cow<'static, str> {
        "Priority".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = json_schema!({ "type": "integer", "minimum": i16::MIN, "maximum": i16::MAX });
        json_schema!({
            "anyOf": [{ "enum": ["high", "normal", "low"] }, number],
            "x-value": PriorityVisitor.to_string()
        })
    }
}

struct PriorityVisitor;

impl fmt::Display for PriorityVisitor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (i16::MIN, i16::MAX);
        write!(out, "`high`, `normal`, `low`, or a number from {least} to {most}")
    }
}

impl Visitor<'_> for PriorityVisitor {
    type Value = PriorityEntry;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PriorityEntry, E> {
        match text {
            "high" => Ok(PriorityEntry(Priority::HIGH)),
            "normal" => Ok(PriorityEntry(Priority::NORMAL)),
            "low" => Ok(PriorityEntry(Priority::LOW)),
            other => Err(E::invalid_value(Unexpected::Str(other), &self)),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<PriorityEntry, E> {
        let priority = i16::try_from(number).map(|it| PriorityEntry(Priority(it)));
        priority.map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<PriorityEntry, E> {
        let priority = i16::try_from(number).map(|it| PriorityEntry(Priority(it)));
        priority.map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

/// The growth of the delay between attempts: a word, or a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffEntry(pub Backoff);

/// The growth of the delay between attempts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BackoffMapping")]
struct WrittenBackoff {
    /// How the delay grows from one attempt to the next.
    policy: BackoffPolicy,
    /// The longest delay of an exponential backoff. Without it, one hour.
    #[serde(default, deserialize_with = "Interval::option")]
    #[schemars(with = "Option<Interval>")]
    cap: Option<Duration>,
}

/// How the delay grows from one attempt to the next.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BackoffPolicy {
    /// Every delay is `retry_delay`.
    Constant,
    /// Every delay is twice the one before.
    Exponential,
}

impl WrittenBackoff {
    fn finish(self) -> Result<BackoffEntry, &'static str> {
        match (self.policy, self.cap) {
            (BackoffPolicy::Constant, None) => Ok(BackoffEntry(Backoff::Constant)),
            (BackoffPolicy::Constant, Some(_)) => {
                Err("`cap` has no effect with a constant delay; leave it out")
            }
            (BackoffPolicy::Exponential, cap) => {
                let cap = cap.unwrap_or(USUAL_CAP);
                Ok(BackoffEntry(Backoff::Exponential { cap }))
            }
        }
    }
}

/// What happens to missed runs: a word, or a mapping. What a mapping leaves out is `None`, and stays
/// as the manifest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MisfireEntry {
    /// Which of the missed runs take place.
    pub misfire: Option<Misfire>,
    /// How late a missed run may begin.
    pub grace: Option<Bound<Duration>>,
}

/// What happens to runs that were due while the host did not run or slept, or over whose time the
/// clock was set.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MisfireMapping")]
struct WrittenMisfire {
    /// Which of the missed runs take place.
    policy: Option<MisfirePolicy>,
    /// The most missed runs that take place, with the policy `all`. Without it, 1000.
    #[serde(default, deserialize_with = "Count::<1, MOST_MADE_UP>::some")]
    #[schemars(with = "Option<Count<1, MOST_MADE_UP>>")]
    cap: Option<usize>,
    /// How late a missed run may begin, or `none`. The time that a run waits because the host is busy
    /// does not count.
    #[serde(default, deserialize_with = "OrNone::<Interval>::bound")]
    #[schemars(with = "Option<OrNone<Interval>>")]
    grace: Option<Bound<Duration>>,
}

/// Which of the missed runs take place.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum MisfirePolicy {
    /// No missed run takes place.
    Skip,
    /// One run takes the place of all missed runs.
    Once,
    /// All missed runs take place, or the latest ones if there are more than the cap.
    All,
}

impl WrittenMisfire {
    fn finish(self) -> Result<MisfireEntry, &'static str> {
        let Self { policy, cap, grace } = self;
        if cap.is_some() && !matches!(policy, Some(MisfirePolicy::All)) {
            return Err("`cap` has no effect without `policy: all`; leave it out");
        }
        let cap = u32::try_from(cap.unwrap_or(MOST_MADE_UP)).unwrap_or(u32::MAX);
        let misfire = policy.map(|policy| match policy {
            MisfirePolicy::Skip => Misfire::Skip,
            MisfirePolicy::Once => Misfire::Once,
            MisfirePolicy::All => Misfire::All { cap },
        });
        Ok(MisfireEntry { misfire, grace })
    }
}

/// Implements reading and the schema of a policy that is a word or a mapping.
macro_rules! word_or_mapping {
    ($type:ty, $name:literal, $word:ty, $written:ty, $of_word:expr, $expected:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct PolicyVisitor;

                impl<'de> Visitor<'de> for PolicyVisitor {
                    type Value = $type;

                    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                        out.write_str($expected)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        let text: StrDeserializer<'_, E> = text.into_deserializer();
                        let word = <$word>::deserialize(text)?;
                        let written: $written = $of_word(word);
                        written.finish().map_err(E::custom)
                    }

                    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<$type, A::Error> {
                        let written = <$written>::deserialize(MapAccessDeserializer::new(map))?;
                        written.finish().map_err(A::Error::custom)
                    }
                }
                deserializer.deserialize_any(PolicyVisitor)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let word = generator.subschema_for::<$word>();
                let mapping = generator.subschema_for::<$written>();
                json_schema!({ "anyOf": [word, mapping], "x-value": $expected })
            }
        }
    };
}

word_or_mapping!(
    BackoffEntry,
    "Backoff",
    BackoffPolicy,
    WrittenBackoff,
    |policy| WrittenBackoff { policy, cap: None },
    "`constant`, `exponential`, or a mapping"
);

word_or_mapping!(
    MisfireEntry,
    "Misfire",
    MisfirePolicy,
    WrittenMisfire,
    |policy| WrittenMisfire { policy: Some(policy), cap: None, grace: None },
    "`once`, `skip`, `all`, or a mapping"
);
