//! The schedules that tell when the runs of tasks begin.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::millis;

/// The schedule on which the runs of a task begin.
///
/// A plugin's constants have static texts, which is the default of `S`; in a
/// [`TaskSpec`](super::TaskSpec) the texts are owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule<S = &'static str> {
    /// Once, when the plugin comes into service.
    #[default]
    AtStart,
    /// Once, at a moment: in RFC 3339, such as `2026-12-24T18:00:00Z`, or a local time with its zone,
    /// such as `2026-12-24T18:00:00[Europe/Paris]`.
    ///
    /// A local time that the clock skips is as much later as the clock is set forward; of one that
    /// the clock shows twice, the first is meant.
    OnceAt(S),
    /// Each time that this duration has passed since the last start; the first run begins
    /// when the plugin comes into service.
    #[serde(rename = "every_ms", with = "millis")]
    Every(Duration),
    /// At the moments that match a cron expression.
    Cron {
        /// Five fields, six with seconds first, or seven with a year last.
        expression: S,
        /// The IANA time zone in which the expression is meant, such as `Europe/Paris`.
        zone: S,
    },
    /// Each time that all tasks of `depends_on` have succeeded anew.
    AfterDependencies,
    /// For each event of a channel of the host, named here. The event is the argument of the run.
    OnEvent(S),
    /// Only when a run is requested.
    Manual,
}

#[cfg(feature = "abi")]
impl Schedule {
    /// Returns the same schedule with owned texts.
    pub(crate) fn into_owned(self) -> Schedule<String> {
        match self {
            Self::AtStart => Schedule::AtStart,
            Self::OnceAt(moment) => Schedule::OnceAt(moment.to_owned()),
            Self::Every(interval) => Schedule::Every(interval),
            Self::Cron { expression, zone } => {
                Schedule::Cron { expression: expression.to_owned(), zone: zone.to_owned() }
            }
            Self::AfterDependencies => Schedule::AfterDependencies,
            Self::OnEvent(channel) => Schedule::OnEvent(channel.to_owned()),
            Self::Manual => Schedule::Manual,
        }
    }
}

/// The policy for a run that is due while an earlier run of the task is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "abi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The run that is due does not take place.
    #[default]
    Skip,
    /// The run that is due begins when the earlier run has ended.
    Queue,
    /// The run that is due begins beside the earlier run.
    Allow,
    /// The earlier run is cancelled, and the run that is due begins when it has ended.
    Replace,
}

/// The policy for runs that were due while the host could not begin them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Misfire {
    /// No missed run takes place.
    Skip,
    /// One run takes the place of all missed runs.
    #[default]
    Once,
    /// All missed runs take place, or the latest ones if there are more than the cap.
    All {
        /// The most missed runs that take place. A host makes up for 1,000 at most.
        cap: u32,
    },
}
